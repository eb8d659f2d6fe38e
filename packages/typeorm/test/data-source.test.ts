import { count, type Engine, type Stack, startStack } from '@rds-iam/conformance';
import pg from 'pg';
import { DataSource, EntitySchema, type MigrationInterface, type QueryRunner } from 'typeorm';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { isRdsIamError, type RdsIamDataSourceOptions, withRdsIam } from '../src/index.js';

interface Item {
  id: number;
  name: string;
}

const Items = new EntitySchema<Item>({
  name: 'item',
  columns: {
    id: { type: Number, primary: true, generated: true },
    name: { type: String },
  },
});

describe.each<[RdsIamDataSourceOptions['type'], Engine]>([
  ['postgres', 'postgres'],
  ['mysql', 'mysql'],
  ['mariadb', 'mysql'],
])('a DataSource for %s', (type, engine) => {
  let stack: Stack;
  let replica: Stack;
  const dataSources: DataSource[] = [];
  beforeAll(async () => {
    [stack, replica] = await Promise.all([startStack(engine), startStack(engine)]);
  });
  afterEach(async () => {
    stack.emulator.setFaults({});
    replica.emulator.setFaults({});
    for (const dataSource of dataSources.splice(0)) if (dataSource.isInitialized) await dataSource.destroy();
    await vi.waitFor(() => expect(stack.emulator.stats.open + replica.emulator.stats.open).toBe(0), 10_000);
  });
  afterAll(async () => {
    await stack[Symbol.asyncDispose]();
    await replica[Symbol.asyncDispose]();
  });

  const nodeOf = ({ emulator, username, database }: Stack) => ({
    host: 'localhost',
    port: emulator.port,
    username,
    database,
  });
  const urlOf = ({ emulator, username, database }: Stack) => ({
    url: `${type}://${username}@localhost:${emulator.port}/${database}?sslmode=verify-full`,
  });
  const newDataSource = (options: object = {}) => {
    const dataSource = new DataSource(
      withRdsIam({ type, ...nodeOf(stack), iam: stack.iam, ...options } as RdsIamDataSourceOptions),
    );
    dataSources.push(dataSource);
    return dataSource;
  };
  const userOf = async (dataSource: DataSource, mode: 'master' | 'slave') => {
    const runner = dataSource.createQueryRunner(mode);
    const [row] = await runner.query('select current_user as name');
    await runner.release();
    return String(row.name).replace('@%', '');
  };

  test.each([
    ['fields', nodeOf],
    ['URLs', urlOf],
  ])('replicates, with %s, the master and each slave with its own token', async (_, node) => {
    const signed = count('rds-iam:token:signed');
    const dataSource = await newDataSource({
      iam: { ...stack.iam, ca: [stack.emulator.ca, replica.emulator.ca] },
      replication: { master: node(stack), slaves: [node(replica)] },
    }).initialize();
    expect(await userOf(dataSource, 'master')).toBe(stack.username);
    expect(await userOf(dataSource, 'slave')).toBe(replica.username);
    expect(signed()).toBe(2);
  });

  test('with replication, a failed login says why', async () => {
    const dataSource = newDataSource({ replication: { master: nodeOf(stack), slaves: [] } });
    stack.emulator.setFaults({ tls: 'other-ca' });
    await expect(dataSource.initialize()).rejects.toMatchObject({ name: 'RdsIamError', code: 'ERR_RDS_IAM_TLS' });
  });

  test('a failed first connection leaves nothing behind, and the next initialize() works', async () => {
    const dataSource = newDataSource({ iam: { ...stack.iam, retry: false } });
    stack.emulator.setFaults({ clockOffsetMs: 3_600_000 });
    const error = await dataSource.initialize().catch((thrown: unknown) => thrown);
    expect(isRdsIamError(error) && error.code).toBe('ERR_RDS_IAM_REFUSED');
    await vi.waitFor(() => expect(stack.emulator.stats.open).toBe(0), 10_000);
    expect(await stack.sessions()).toBe(0);
    stack.emulator.setFaults({});
    await dataSource.initialize();
    expect(await userOf(dataSource, 'master')).toBe(stack.username);
  });

  test('if the master refuses, nothing is left of its slaves once they are idle', async () => {
    const dataSource = newDataSource({
      iam: { ...stack.iam, ca: [stack.emulator.ca, replica.emulator.ca], retry: false },
      replication: { master: nodeOf(stack), slaves: [nodeOf(replica)] },
      ...(type === 'postgres' && { extra: { idleTimeoutMillis: 50 } }),
    });
    stack.emulator.setFaults({ clockOffsetMs: 3_600_000 });
    await expect(dataSource.initialize()).rejects.toMatchObject({ code: 'ERR_RDS_IAM_REFUSED' });
    await vi.waitFor(() => expect(stack.emulator.stats.open + replica.emulator.stats.open).toBe(0), 10_000);
    expect((await stack.sessions()) + (await replica.sessions())).toBe(0);
  });

  test('a dropped connection is replaced', async () => {
    const dataSource = await newDataSource({ poolSize: 1, logging: false }).initialize();
    expect(stack.emulator.dropConnections()).toBe(1);
    await vi.waitFor(() => expect(stack.emulator.stats.open).toBe(0), 10_000);
    expect(await userOf(dataSource, 'master')).toBe(stack.username);
  });

  test('poolSize limits the number of physical connections', async () => {
    const opened = count('rds-iam:connection:admitted');
    const dataSource = await newDataSource({ poolSize: 2 }).initialize();
    await Promise.all(Array.from({ length: 10 }, () => dataSource.query('select 1')));
    expect(opened()).toBe(2);
  });

  test('its own connect time-out is the deadline for all attempts', async () => {
    const option = type === 'postgres' ? 'connectTimeoutMS' : 'connectTimeout';
    const failure = () =>
      newDataSource({ [option]: 300 })
        .initialize()
        .catch((thrown: unknown) => thrown);
    stack.emulator.setFaults({ throttle: { connectionsPerSecond: 0, action: 'deny', counting: 'logins' } });
    expect(await failure()).toMatchObject({
      name: 'RdsIamError',
      elapsedMs: expect.toSatisfy((ms: number) => ms < 2_000),
    });
    stack.emulator.setFaults({ hang: 'before-authentication' });
    expect(await failure()).toMatchObject({
      name: 'RdsIamError',
      message: expect.stringContaining(`"${option}"`),
    });
  });

  test('"extra" goes to the driver', async () => {
    const [extra, query] =
      type === 'postgres'
        ? [{ application_name: 'shop' }, 'show application_name']
        : [{ typeCast: () => 'shop' }, 'select 1 as application_name'];
    const dataSource = await newDataSource({ extra }).initialize();
    expect(await dataSource.query(query)).toEqual([{ application_name: 'shop' }]);
  });

  test("TypeORM's migrations, schema and transactions work", async () => {
    class AddItems1700000000000 implements MigrationInterface {
      name = 'AddItems1700000000000';
      async up(runner: QueryRunner): Promise<void> {
        const id = type === 'postgres' ? 'serial' : 'int auto_increment';
        await runner.query(`create table item (id ${id} primary key, name varchar(255) not null)`);
      }
      async down(runner: QueryRunner): Promise<void> {
        await runner.query('drop table item');
      }
    }
    const dataSource = newDataSource({ entities: [Items], migrations: [AddItems1700000000000] });
    await dataSource.initialize();
    expect(await dataSource.runMigrations()).toHaveLength(1);
    await dataSource.transaction((manager) => manager.save(Items, { name: 'kept' }));
    await expect(
      dataSource.transaction(async (manager) => {
        await manager.save(Items, { name: 'rolled back' });
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await dataSource.getRepository(Items).find()).toEqual([{ id: 1, name: 'kept' }]);
    await dataSource.undoLastMigration();
    await dataSource.query('drop table migrations');
  });

  test('with IAM off, it logs in with its password', async () => {
    const { hostname: host, port } = stack.upstream;
    const password = type === 'postgres' ? async () => 'any' : '';
    const dataSource = newDataSource({ host, port, ssl: false, password, iam: { enabled: false } });
    await dataSource.initialize();
    expect(await userOf(dataSource, 'master')).toBe(stack.username);
  });

  if (type === 'postgres') {
    test('parseInt8 reaches pg, and pg-native, which would log in without IAM, is never used', async () => {
      onTestFinished(() => {
        pg.defaults.parseInt8 = false;
      });
      const dataSource = await newDataSource({ parseInt8: true }).initialize();
      expect(await dataSource.query('select 7::int8 as seven')).toEqual([{ seven: 7 }]);
      const { postgres } = dataSource.driver as unknown as { postgres: { native?: unknown } };
      expect(postgres.native).toBeUndefined();
    });
  }
});
