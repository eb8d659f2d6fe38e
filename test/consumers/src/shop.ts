import { type Engine, type Faults, startEmulator } from '@rds-iam/emulator';
import { CREDENTIALS, makeShop, startMariadb, startPostgres } from '@rds-iam/test-servers';

/** A database `shop` and its user `app` behind the emulator. */
export interface Shop extends AsyncDisposable {
  /** Where it is, and with what to log in, for a program's environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** How many logged in. */
  readonly accepted: number;
  /** What goes wrong from now on. */
  setFaults(faults: Faults): void;
}

export async function openShop(engine: Engine): Promise<Shop> {
  const server = await (engine === 'postgres' ? startPostgres() : startMariadb());
  await makeShop(server);
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
    setFaults: (faults) => emulator.setFaults(faults),
    get accepted() {
      return emulator.stats.accepted;
    },
    async [Symbol.asyncDispose]() {
      await emulator.close();
      await server.close();
    },
  };
}
