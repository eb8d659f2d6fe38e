import { createSecureContext, TLSSocket } from 'node:tls';
import { type RecordingServer, startRecordingServer } from './recording-server.js';

/** How a MySQL server behaves. All of them ask for the password in clear, as soon and as often as they can. */
export type MysqlManner =
  | 'has no TLS'
  | 'offers TLS and goes on in clear'
  | 'asks for the password before anything else'
  | 'asks for the password within its greeting'
  | { readonly cert: string; readonly key: string; readonly asks?: Buffer };

const SSL_REQUEST_LENGTH = 36;
const CLIENT_SSL = 0x0800;
// All other capabilities that a client could look for in a greeting.
const CAPABILITIES = 0x00bf_f7ff & ~CLIENT_SSL & ~0x20;

export function packet(sequence: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUIntLE(payload.length, 0, 3);
  header[3] = sequence;
  return Buffer.concat([header, payload]);
}

/** A request to switch to another plugin. */
export function authSwitch(sequence: number, plugin: string): Buffer {
  return packet(sequence, Buffer.concat([Buffer.from([0xfe]), Buffer.from(`${plugin}\0${'s'.repeat(20)}\0`)]));
}

/** A greeting of version 10, like MySQL 8's. */
function greeting(capabilities: number): Buffer {
  const flags = Buffer.alloc(4);
  flags.writeUInt32LE(capabilities >>> 0);
  return packet(
    0,
    Buffer.concat([
      Buffer.from('\x0a8.0.36\0'),
      Buffer.from([7, 0, 0, 0]),
      Buffer.from('12345678\0'),
      flags.subarray(0, 2),
      Buffer.from([45, 2, 0]),
      flags.subarray(2),
      Buffer.from([21]),
      Buffer.alloc(10),
      Buffer.from('abcdefghijkl\0caching_sha2_password\0'),
    ]),
  );
}

/** A server that is after tokens: it records every byte and asks for the password like RDS does. */
export async function startRecordingMysql(manner: MysqlManner): Promise<RecordingServer> {
  const secureContext = typeof manner === 'object' ? createSecureContext(manner) : undefined;
  const ask = (sequence: number) => authSwitch(sequence, 'mysql_clear_password');

  return startRecordingServer((raw, record) => {
    if (manner === 'asks for the password before anything else') raw.write(ask(0));
    else raw.write(greeting(manner === 'has no TLS' ? CAPABILITIES : CAPABILITIES | CLIENT_SSL));
    if (manner === 'asks for the password within its greeting') raw.write(ask(1));
    raw.once('data', (request) => {
      record(request);
      if (!secureContext) {
        raw.write(ask(2));
        raw.on('data', (chunk) => {
          record(chunk);
          raw.write(ask(3));
        });
        return;
      }
      // The client's first TLS bytes may arrive together with its request for TLS.
      raw.pause();
      if (request.length > SSL_REQUEST_LENGTH) raw.unshift(request.subarray(SSL_REQUEST_LENGTH));
      const secure = new TLSSocket(raw, { isServer: true, secureContext });
      secure.on('error', () => {});
      secure.on('data', (chunk) => {
        record(chunk);
        secure.write(typeof manner === 'object' && manner.asks ? manner.asks : ask(3));
      });
    });
  });
}
