import type { RdsIamErrorCode } from '@rds-iam/core';
import type { RefusalReason } from './refusal.js';

interface ClientEvent {
  /** When it happened, in milliseconds since the epoch. */
  readonly atMs: number;
  /** The database behind the port, as configured. */
  readonly hostname: string;
  readonly port: number;
  /** The client's IP address; `local` at a Unix socket. */
  readonly client: string;
  /** If the client got as far as saying so. */
  readonly username: string | undefined;
  readonly database: string | undefined;
}

/** The outcome for one client. Nothing in it is secret. */
export type ProxyEvent = ClientEvent &
  (
    | {
        /** A client is logged in. */
        readonly type: 'login';
        /** From the client's connection to the end of the login. */
        readonly durationMs: number;
      }
    | {
        /** A client was not let in, or not as the user that it wanted to change to, which ends its session. */
        readonly type: 'refusal';
        readonly reason: RefusalReason;
        /** What the client was told, if it was still there. */
        readonly message: string;
        /** Why the login to the database failed, if that is the reason. */
        readonly code: RdsIamErrorCode | undefined;
      }
    | {
        /** The connection of a client that was logged in has ended. */
        readonly type: 'logout';
        readonly durationMs: number;
        /** The bytes sent by the client, and to it. */
        readonly bytesIn: number;
        readonly bytesOut: number;
      }
  );
