// Run by scripts/docker-smoke.sh if a Docker engine answers: each kind of server has to start in a container.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { type Engine, type ProvidedServer, provideServer } from '../src/server.js';

const USES: Readonly<Record<Engine, (server: ProvidedServer) => Promise<void>>> = {
  async postgres({ hostname, port, username }) {
    const client = new pg.Client({ host: hostname, port, user: username, database: 'postgres' });
    await client.connect();
    await client.query('create role app login');
    await client.end();
  },
  async mysql({ hostname, port, username, password }) {
    const client = await mysql.createConnection({ host: hostname, port, user: username, password });
    await client.query("create user app@'%'");
    await client.end();
  },
  async redis({ hostname, port }) {
    const socket = connect(port, hostname);
    socket.write('PING\r\n');
    const [answer] = await once(socket, 'data');
    assert.equal(String(answer), '+PONG\r\n');
    socket.destroy();
  },
};

for (const engine of ['postgres', 'mysql', 'redis'] as const) {
  const server = await provideServer(engine, { environment: withoutUrls() });
  assert.equal(server.road, 'docker');
  await USES[engine](server);
  await server.close();
  await assert.rejects(once(connect(server.port, server.hostname), 'connect'), `${engine} outlived its end`);
}

function withoutUrls(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^TEST_\w+_URL$/.test(name)));
}
