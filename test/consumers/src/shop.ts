import { type Engine, startEmulator } from '@rds-iam/emulator';
import { CREDENTIALS, startMariadb, startPostgres } from '@rds-iam/test-servers';

/** A database `shop` and its user `app` behind the emulator. */
export interface Shop extends AsyncDisposable {
  /** Where it is, and with what to log in, for a program's environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** How many logged in. */
  readonly accepted: number;
}

export async function openShop(engine: Engine): Promise<Shop> {
  const server = engine === 'postgres' ? await startShopOnPostgres() : await startShopOnMariadb();
  const { hostname, port } = server;
  const emulator = await startEmulator({
    engine,
    upstream: { hostname, port },
    region: 'eu-west-1',
    accessKeys: [CREDENTIALS],
  });
  return {
    environment: {
      ENGINE: engine,
      PORT: String(emulator.port),
      CA: emulator.ca,
      ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    },
    get accepted() {
      return emulator.stats.accepted;
    },
    async [Symbol.asyncDispose]() {
      await emulator.close();
      await server.close();
    },
  };
}

async function startShopOnPostgres() {
  const server = await startPostgres();
  const admin = await server.connectAsSuperuser();
  await admin.query('create role app login');
  await admin.query('create database shop owner app');
  await admin.end();
  return server;
}

async function startShopOnMariadb() {
  const server = await startMariadb();
  const admin = await server.connectAsSuperuser();
  await admin.query("create user app@'%' identified by ''");
  await admin.query('create database shop');
  await admin.query("grant all on shop.* to app@'%'");
  await admin.end();
  return server;
}
