import type { Duplex } from 'node:stream';
import { configError } from '@rds-iam/core/adapter';
import type * as mysql2 from 'mysql2';
import { IamStream } from '../wire/iam-stream.js';

/** The number of the server's error for a refused token. */
const ACCESS_DENIED = 1045;

type Answered = (error: { readonly errno?: number } | null, ...rest: unknown[]) => void;

interface ChangeUserCommand {
  readonly user: string;
  onResult: Answered;
}

/** Called for the password when a connection that has logged in changes its user. */
export const answerChangeUser: mysql2.AuthPlugin = ({ connection, command: given }) => {
  const { stream, config } = connection as unknown as { readonly stream: Duplex; readonly config: { debug?: unknown } };
  const command = given as unknown as ChangeUserCommand;
  const { user, onResult } = command;
  command.onResult = (error, ...rest) => {
    if (error?.errno === ACCESS_DENIED && stream instanceof IamStream) stream.dropTokenOf(user);
    onResult.call(command, error, ...rest);
  };
  return async () => {
    try {
      if (!(stream instanceof IamStream)) throw streamIsMissing();
      const token = await stream.tokenFor(user);
      silenceThisTurn(config);
      return Buffer.from(`${token}\0`);
    } catch (error) {
      // mysql2 would replace our code with one of its own.
      stream.destroy(error as Error);
      return Buffer.alloc(0);
    }
  };
};

/** mysql2 prints each packet that it writes where "debug" is set: it writes the one with the token in this turn. */
function silenceThisTurn(config: { debug?: unknown }): void {
  const { debug } = config;
  if (!debug) return;
  config.debug = false;
  setImmediate(() => {
    config.debug = debug;
  });
}

function streamIsMissing(): Error {
  return configError(
    'stream',
    'from withRdsIam() did not reach mysql2, so the IAM login is missing: pass on all of its options',
  );
}
