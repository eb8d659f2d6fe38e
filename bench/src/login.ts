/** A login as configured by an application. The endpoint does not exist; signing needs no network. */
export const ENDPOINT = {
  hostname: 'mydb.abc123def456.eu-west-1.rds.amazonaws.com',
  port: 5432,
  username: 'app',
} as const;

export const REGION = 'eu-west-1';

/** The access key in AWS's documentation. */
export const CREDENTIALS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
} as const;

/** Each function in a fleet has its own credentials, and therefore its own token. */
export const credentialsOfMember = (member: number) => ({
  accessKeyId: `ASIAMEMBER${String(member).padStart(10, '0')}`,
  secretAccessKey: CREDENTIALS.secretAccessKey,
});

/** For measuring anything except admission, which by default opens 200 connections a second to MySQL. */
export const UNLIMITED = 100_000;
