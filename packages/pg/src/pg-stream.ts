import { configError } from '@rds-iam/core';
import { IamStream, type IamStreamOptions } from './postgres-js/iam-stream.js';
import { SSL_REQUEST } from './postgres-js/messages.js';

/** The stream of {@link IamStream} as pg uses one: pg itself tells it to connect, and where to. */
export class PgStream extends IamStream {
  readonly #options: IamStreamOptions;

  constructor(options: IamStreamOptions) {
    super(options);
    this.#options = options;
  }

  /** Connects when the driver has said who it is: until then there is nothing to log in with. */
  connect(port: number, host: string): this {
    const { endpoint } = this.#options;
    if (port === endpoint.port && host === endpoint.hostname) {
      process.nextTick(() => this.emit('connect'));
      return this;
    }
    const given = `${endpoint.hostname}:${endpoint.port}`;
    return this.destroy(
      configError(
        `"host" and "port" are ${host}:${port} now, but the token is for ${given}, as withRdsIam() was given: call it for each endpoint`,
      ),
    );
  }

  protected override writeEarly(chunk: Buffer, done: (error?: Error | null) => void): void {
    if (SSL_REQUEST.equals(chunk)) {
      done(configError('"ssl" is set behind withRdsIam(), whose TLS is underneath: give it to withRdsIam()'));
    } else {
      super.writeEarly(chunk, done);
    }
  }
}
