/** A login as an application would configure it. Nothing of it exists; signing needs no network. */
export const ENDPOINT = {
  hostname: 'mydb.abc123def456.eu-west-1.rds.amazonaws.com',
  port: 5432,
  username: 'app',
} as const;

export const REGION = 'eu-west-1';

/** The access key of AWS's documentation. */
export const CREDENTIALS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
} as const;

/** A function of a fleet has credentials of its own, and so a token of its own. */
export const credentialsOfMember = (member: number) => ({
  accessKeyId: `ASIAMEMBER${String(member).padStart(10, '0')}`,
  secretAccessKey: CREDENTIALS.secretAccessKey,
});

/** For what is measured besides admission, which by default opens 200 connections a second to MySQL. */
export const UNLIMITED = 100_000;
