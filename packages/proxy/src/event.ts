import type { RdsIamErrorCode } from '@rds-iam/core';
import type { RefusalReason } from './refusal.js';

interface ClientEvent {
  /** When it happened: milliseconds since the epoch. */
  readonly atMs: number;
  /** The database behind the port, as it was configured. */
  readonly hostname: string;
  readonly port: number;
  /** The client's IP address; `local` at a Unix socket. */
  readonly client: string;
  /** As far as the client got to saying so. */
  readonly username: string | undefined;
  readonly database: string | undefined;
}

/** What became of one client. Nothing in it is secret. */
export type ProxyEvent = ClientEvent &
  (
    | {
        /** A client is logged in. */
        readonly type: 'login';
        /** From its connection to the end of the login. */
        readonly durationMs: number;
      }
    | {
        /** A client was not let in. */
        readonly type: 'refusal';
        readonly reason: RefusalReason;
        /** What the client was told, where there was somebody to tell. */
        readonly message: string;
        /** Why the login to the database failed, if that is the reason. */
        readonly code: RdsIamErrorCode | undefined;
      }
    | {
        /** The connection of a client that was logged in has ended. */
        readonly type: 'logout';
        readonly durationMs: number;
        /** Sent by the client, and to it. */
        readonly bytesIn: number;
        readonly bytesOut: number;
      }
  );
