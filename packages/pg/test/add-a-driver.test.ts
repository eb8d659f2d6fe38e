// CONTRIBUTING's "Add a driver", followed step by step for a small driver that knows nothing of IAM.
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { describeDriverSafety } from '@rds-iam/conformance';
import { isRdsIamError } from '@rds-iam/core';
import { checkDriverTls, checkEndpoint, postgres, rdsIamOf, refusePassword, type WithIam } from '@rds-iam/core/adapter';
import { ByteReader } from '@rds-iam/wire';
import {
  decodeErrorFields,
  ErrorField,
  type ErrorFields,
  encodeFirstPacket,
  encodeMessage,
  MessageType,
  readMessage,
} from '@rds-iam/wire/postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { logIn } from '../src/login.js';
import { type Stack, startStack } from './stack.js';

const VERSION_3_0 = 0x3_00_00;
const MAX_BODY_BYTES = 65_536;

interface SmallDriverOptions {
  readonly host: string;
  readonly port?: number;
  readonly user: string;
  readonly password?: string;
  readonly database?: string;
  readonly ssl?: unknown;
}

class SmallDriverError extends Error {
  readonly sqlState: string | undefined;

  constructor(fields: ErrorFields) {
    super(fields.get(ErrorField.message) ?? 'an error without a message');
    this.sqlState = fields.get(ErrorField.sqlState);
  }
}

/** A session over a stream on which the server is ready for a query. */
class SmallDriverSession {
  readonly #stream: Duplex;

  constructor(stream: Duplex) {
    this.#stream = stream.on('error', () => {});
  }

  /** The first column of each row. */
  async query(sql: string): Promise<string[]> {
    const reader = new ByteReader(this.#stream);
    const values: string[] = [];
    let failure: Error | undefined;
    this.#stream.write(encodeMessage('Q', Buffer.from(`${sql}\0`)));
    for (;;) {
      const { type, body } = await readMessage(reader, MAX_BODY_BYTES);
      if (type === 'D') values.push(body.subarray(6, 6 + body.readUInt32BE(2)).toString());
      else if (type === MessageType.error) failure = new SmallDriverError(decodeErrorFields(body));
      else if (type === MessageType.readyForQuery) {
        reader.release();
        if (failure) throw failure;
        return values;
      }
    }
  }

  end(): void {
    this.#stream.end(encodeMessage('X', Buffer.alloc(0)));
  }
}

/** Step 1: the hook is the stream that a session is made of. */
async function openSession(given: WithIam<SmallDriverOptions>): Promise<SmallDriverSession> {
  const { host, port = 5432, user, database = user, password, ssl, iam: iamOptions } = given;
  const iam = rdsIamOf(iamOptions);
  const endpoint = { hostname: host, port, username: user };
  // Step 2: what contradicts IAM is refused by name.
  refusePassword('password', password);
  checkDriverTls(ssl);
  checkEndpoint(endpoint);
  const parameters = new Map(Object.entries({ user, database }));
  const opening = encodeFirstPacket({ kind: 'startup', startup: { version: VERSION_3_0, parameters } });
  // Step 3: core decides, and the login is the package's own.
  const { socket } = await iam.connect(
    endpoint,
    (login) =>
      logIn(login, {
        dial: ({ hostname, port }): Socket => connect(port, hostname),
        directTls: false,
        opening,
        // Step 4: the server's refusal is an error of the driver's, from which core says what is wrong.
        errorOf: (fields) => Object.assign(new SmallDriverError(fields), { code: fields.get(ErrorField.sqlState) }),
      }),
    { engine: postgres, ssl },
  );
  return new SmallDriverSession(socket);
}

// Step 5: the suites that every driver passes.
describe('a driver that was added by the list', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack();
  });
  afterAll(() => stack[Symbol.asyncDispose]());

  test('logs in without a password', async () => {
    const session = await openSession(stack.config);
    expect(await session.query('select current_user')).toEqual([stack.username]);
    await expect(session.query('select 1/0')).rejects.toMatchObject({ sqlState: '22012' });
    session.end();
  });

  test('says why a login is refused', async () => {
    const credentials = { accessKeyId: 'AKIAUNKNOWN', secretAccessKey: 'unknown' };
    const error = await outcomeOf({ ...stack.config, iam: { ...stack.iam, credentials } });
    expect(error).toMatchObject({ code: 'ERR_RDS_IAM_REFUSED', cause: expect.any(SmallDriverError) });
  });

  test.each([
    ['password', { password: 'hunter2' }],
    ['ssl', { ssl: false }],
  ])('refuses "%s" by name', async (option, options) => {
    const error = await outcomeOf({ ...stack.config, ...options });
    expect(isRdsIamError(error) && error.code === 'ERR_RDS_IAM_CONFIG' && error.option).toBe(option);
  });
});

describeDriverSafety({
  engine: 'postgres',
  ways: { openSession: outcomeOf },
  addresses: { fields: (port) => ({ host: 'localhost', port }) },
  hold(options) {
    const opening = openSession(options as WithIam<SmallDriverOptions>);
    return {
      objects: [opening],
      outcomes: Promise.all([
        opening.then(
          (session) => session.end(),
          (error: unknown) => error,
        ),
      ]),
      async [Symbol.asyncDispose]() {},
    };
  },
});

/** The error of a login with these options, as JavaScript may give them; undefined where it succeeds. */
async function outcomeOf(options: object): Promise<unknown> {
  try {
    (await openSession(options as WithIam<SmallDriverOptions>)).end();
    return undefined;
  } catch (error) {
    return error;
  }
}
