import { type Emulator, type Engine, type Faults, startEmulator } from '@rds-iam/emulator';
import { CREDENTIALS, makeShop, startMariadb, startPostgres } from '@rds-iam/test-servers';

/** A database `shop` and its user `app` behind the emulator. */
export interface Shop extends AsyncDisposable {
  /** Its address and the credentials, for a program's environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** How many logins there were. */
  readonly accepted: number;
  /** Starts another emulator in front of the same database with these faults; it ends with the shop. */
  withFaults(faults: Faults): Promise<Emulator>;
}

export async function openShop(engine: Engine): Promise<Shop> {
  const server = await (engine === 'postgres' ? startPostgres() : startMariadb());
  await makeShop(server);
  const { hostname, port } = server;
  const emulators: Emulator[] = [];
  const withFaults = async (faults: Faults) => {
    const emulator = await startEmulator({
      engine,
      upstream: { hostname, port },
      region: 'eu-west-1',
      accessKeys: [CREDENTIALS],
    });
    emulator.setFaults(faults);
    emulators.push(emulator);
    return emulator;
  };
  const emulator = await withFaults({});
  return {
    environment: {
      ENGINE: engine,
      PORT: String(emulator.port),
      CA: emulator.ca,
      ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    },
    withFaults,
    get accepted() {
      return emulator.stats.accepted;
    },
    async [Symbol.asyncDispose]() {
      for (const each of emulators) await each.close();
      await server.close();
    },
  };
}
