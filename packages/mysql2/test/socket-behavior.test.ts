import { once } from 'node:events';
import { connect } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { describeSocketBehavior, listening, type SocketLike } from '@rds-iam/conformance';
import { createRdsIam } from '@rds-iam/core';
import { createCertificateAuthority } from '@rds-iam/emulator';
import { Capability, encodeAuthSwitch, encodeGreeting, encodePacket } from '@rds-iam/wire/mysql';
import { IamStream } from '../src/wire/iam-stream.js';
import { CREDENTIALS, REGION } from './stack.js';

const SCRAMBLE = Buffer.alloc(20, 's');
const GREETING = encodeGreeting({
  serverVersion: '8.0.36',
  connectionId: 1,
  scramble: SCRAMBLE,
  capabilities: Capability.protocol41 | Capability.ssl | Capability.pluginAuth | Capability.secureConnection,
  mariadbCapabilities: 0,
  characterSet: 45,
  status: 2,
  plugin: 'mysql_native_password',
});
const ANSWER = Buffer.alloc(40);
const SSL_REQUEST_LENGTH = 36;
const OK = Buffer.from([0, 0, 0, 2, 0, 0, 0]);

describeSocketBehavior({
  name: 'the stream of mysql2 and mariadb',
  async start() {
    const authority = await createCertificateAuthority();
    const secureContext = createSecureContext(await authority.issue({ hostnames: ['localhost'] }));
    const iam = createRdsIam({ region: REGION, credentials: CREDENTIALS, ca: authority.ca });
    return listening(async (port, accepted, prepare) => {
      const made: object = new IamStream({
        iam,
        endpoint: { hostname: 'localhost', port, username: 'app' },
        driver: {
          dial: () => connect(port, 'localhost'),
          answerTo: () => ANSWER,
          errorOf: (refusal) => new Error(refusal.toString('latin1')),
        },
      });
      const stream = made as SocketLike;
      prepare?.(stream);
      if (stream.destroyed) throw new Error('destroyed');
      const [wire] = await accepted;
      wire.write(encodePacket(0, GREETING));
      const [request] = (await once(wire, 'data')) as [Buffer];
      // The client's first TLS bytes may arrive together with its request for TLS.
      wire.pause();
      if (request.length > SSL_REQUEST_LENGTH) wire.unshift(request.subarray(SSL_REQUEST_LENGTH));
      const peer = new TLSSocket(wire, { isServer: true, secureContext });
      peer.on('error', () => {});
      await once(peer, 'data');
      peer.write(encodePacket(3, encodeAuthSwitch({ plugin: 'mysql_clear_password', data: SCRAMBLE })));
      await once(peer, 'data');
      peer.write(encodePacket(5, OK));
      await once(stream, 'data');
      stream.write(encodePacket(1, ANSWER));
      await once(stream, 'data');
      return { stream, peer, wire };
    });
  },
});
