import { AwsPoolConfig } from 'aws-advanced-nodejs-wrapper';
import { AwsMySQLPoolClient } from 'aws-advanced-nodejs-wrapper/mysql';
import { AwsPgPoolClient } from 'aws-advanced-nodejs-wrapper/pg';
import { CREDENTIALS, REGION } from '../login.js';
import type { Contender } from './storm.js';

/**
 * AWS's wrapper with its own pool and IAM plugin, which caches tokens and, after a refusal, retries once with a new one. Its
 * failover plugins are for Aurora and should be off elsewhere.
 */
export const awsWrapper: Contender = ({ engine, host, port, user, database, ca, wanted }) => {
  const config = {
    ...{ host, port, user, database, ssl: { ca }, plugins: 'iam', iamRegion: REGION },
    customAwsCredentialProviderHandler: { getAwsCredentialsProvider: () => async () => CREDENTIALS },
  };
  const poolConfig = new AwsPoolConfig({ maxConnections: wanted });
  if (engine === 'mysql') {
    // The wrapper passes this on to mysql2, which would not send the token without it.
    const pool = new AwsMySQLPoolClient({ ...config, enableCleartextPlugin: true }, poolConfig);
    return () => pool.getConnection();
  }
  const pool = new AwsPgPoolClient(config, poolConfig);
  return () => pool.connect();
};
