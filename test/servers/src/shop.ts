import type { MysqlFlavour } from './mariadb.js';

/** A PostgreSQL, or a MariaDB or MySQL, which say which they are. */
interface Server {
  readonly flavour?: MysqlFlavour;
  connectAsSuperuser(): Promise<{ query(sql: string): Promise<unknown>; end(): Promise<void> }>;
}

/** Creates the user `app`, without a password, and the database `shop`, which they own. */
export async function makeShop(server: Server): Promise<void> {
  const statements = server.flavour
    ? ["create user app@'%' identified by ''", 'create database shop', "grant all on shop.* to app@'%'"]
    : ['create role app login', 'create database shop owner app'];
  const admin = await server.connectAsSuperuser();
  for (const statement of statements) await admin.query(statement);
  await admin.end();
}
