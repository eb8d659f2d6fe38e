import { Signer } from '@aws-sdk/rds-signer';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { CREDENTIALS, REGION } from '../login.js';
import type { Contender } from './storm.js';

/** The driver's own pool with the AWS SDK's signer called for each connection, as in the documentation of both. */
export const bare: Contender = ({ engine, host, port, user, database, ca, wanted }) => {
  const signer = new Signer({ hostname: host, port, username: user, region: REGION, credentials: CREDENTIALS });
  if (engine === 'mysql') {
    const pool = mysql.createPool({
      ...{ host, port, user, database, connectionLimit: wanted, ssl: { ca, verifyIdentity: true } },
      authPlugins: { mysql_clear_password: () => async () => Buffer.from(`${await signer.getAuthToken()}\0`) },
    });
    return () => pool.getConnection();
  }
  const password = () => signer.getAuthToken();
  const pool = new pg.Pool({ host, port, user, database, max: wanted, ssl: { ca }, password });
  return () => pool.connect();
};
