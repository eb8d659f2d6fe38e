import type { Row, Subject, SubjectOptions, SubjectPool } from '@rds-iam/conformance';
import { DataSource } from 'typeorm';
import { type RdsIamDataSourceOptions, withRdsIam } from '../src/index.js';

/** A physical connection as TypeORM's users see it: pg's client or mysql2's connection. */
interface PhysicalConnection {
  end?(): Promise<void>;
  destroy?(): void;
}

/** TypeORM, for an engine by TypeORM's name. */
export function subject(type: 'postgres' | 'mysql' | 'mariadb'): Subject {
  return {
    name: `@rds-iam/typeorm for ${type}`,
    engine: type === 'postgres' ? 'postgres' : 'mysql',
    createPool: (options) =>
      poolOf(new DataSource(withRdsIam(optionsOf(type, options) as object as RdsIamDataSourceOptions))),
  };
}

function optionsOf(
  type: 'postgres' | 'mysql' | 'mariadb',
  { hostname, port, username, database, iam, max, maxUses, password, withoutTls, tls, asUrl, socket }: SubjectOptions,
) {
  return {
    type,
    ...(asUrl
      ? { url: `${type}://${username}@${hostname}:${port}/${database}?sslmode=verify-full` }
      : { host: hostname, port, username, database }),
    iam,
    ...(max !== undefined && { poolSize: max }),
    ...(password !== undefined && { password }),
    ...(withoutTls && { ssl: false }),
    ...(tls && { ssl: tls }),
    extra: {
      ...(type === 'postgres' && maxUses !== undefined && { maxUses }),
      ...(socket && { stream: type === 'postgres' ? socket : dialing(socket) }),
    },
  };
}

type DialTo = { readonly config: { readonly host: string; readonly port: number } };

const dialing =
  (socket: NonNullable<SubjectOptions['socket']>) =>
  ({ config }: DialTo) =>
    socket().connect(config.port, config.host);

/** A data source that is initialized at its first use, once for all who wait, and again if that failed. */
function poolOf(dataSource: DataSource): SubjectPool {
  let initialized: Promise<unknown> | undefined;
  const ready = async () => {
    initialized ??= dataSource.initialize();
    await initialized.catch((error: unknown) => {
      initialized = undefined;
      throw error;
    });
  };
  return {
    async query(sql) {
      await ready();
      return dataSource.query<Row[]>(sql);
    },
    async checkout() {
      await ready();
      const runner = dataSource.createQueryRunner();
      const connection: PhysicalConnection = await runner.connect();
      return {
        query: (sql) => runner.query(sql) as Promise<Row[]>,
        release: () => void runner.release(),
        destroy() {
          if (connection.destroy) connection.destroy();
          else void connection.end?.();
          void runner.release();
        },
      };
    },
    async transaction(work) {
      await ready();
      return dataSource.transaction((manager) => work((sql) => manager.query<Row[]>(sql)));
    },
    async end() {
      if (dataSource.isInitialized) await dataSource.destroy();
    },
  };
}
