// A process of its own for the proxy, as it has beside a server; or for as many bare TLS sockets, to be compared with.
import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { createRdsIam } from '@rds-iam/core';
import { startProxy } from '@rds-iam/proxy';

const [{ target, iam: options, ca, proxy: more }] = await once(process, 'message');
const iam = createRdsIam({ ...options, ca });
const { token } = await iam.getToken(target);
const proxy = await startProxy({ targets: [target], iam, password: 'bench', ...more });
const bare = [];

const answers = {
  usage() {
    globalThis.gc?.();
    const { rss } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    return { rssBytes: rss, cpuMs: (user + system) / 1_000 };
  },
  async openBare(count) {
    for (let opened = 0; opened < count; opened++) {
      const raw = connect(target.port, target.hostname);
      await once(raw, 'connect');
      raw.write(Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]));
      await once(raw, 'data');
      raw.removeAllListeners('data');
      const socket = connectTls({ socket: raw, ca, host: target.hostname });
      await once(socket, 'secureConnect');
      socket.on('error', () => {});
      bare.push(socket);
    }
  },
};

process.on('message', async ({ ask, with: given }) => process.send({ answer: await answers[ask](given) }));
process.once('disconnect', () => process.exit());
process.send({ token, port: proxy.listeners[0].listening.port });
