import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { type RecordingServer, startRecordingServer } from './recording-server.js';

/** How a PostgreSQL server reacts to a request for TLS. All of them then ask for the password in clear. */
export type PostgresManner =
  | 'has no TLS'
  | 'says yes to TLS and goes on in clear'
  | 'asks for the password before anything else'
  | { readonly cert: string; readonly key: string };

/** The first byte of direct TLS, in place of a request for it. */
const TLS_HANDSHAKE = 0x16;

const ASK_FOR_PASSWORD = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]);

/** A server that is after tokens: it records every byte and asks for the password like RDS does. */
export async function startRecordingPostgres(manner: PostgresManner): Promise<RecordingServer> {
  const secureContext: SecureContext | undefined = typeof manner === 'object' ? createSecureContext(manner) : undefined;

  return startRecordingServer((raw, record) => {
    if (manner === 'asks for the password before anything else') raw.write(ASK_FOR_PASSWORD);
    raw.once('data', (request) => {
      record(request);
      if (secureContext) {
        // If it were put back into a flowing stream, nobody would get it.
        if (request[0] === TLS_HANDSHAKE) raw.pause().unshift(request);
        else raw.write('S');
        const secure = new TLSSocket(raw, { isServer: true, secureContext, ALPNProtocols: ['postgresql'] });
        secure.on('error', () => {});
        secure.on('data', (chunk) => {
          record(chunk);
          secure.write(ASK_FOR_PASSWORD);
        });
        return;
      }
      raw.write(manner === 'has no TLS' ? 'N' : 'S');
      raw.on('data', (chunk) => {
        record(chunk);
        raw.write(ASK_FOR_PASSWORD);
      });
    });
  });
}
