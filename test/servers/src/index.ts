export { setAwsEnvironment } from './aws-environment.js';
export { type ContainerCredentials, startContainerCredentials } from './container-credentials.js';
export { type DnsFailure, type DnsQuery, type DnsServer, startDns } from './dns.js';
export type { HttpStandIn, IssuedCredentials, ReceivedRequest } from './http-stand-in.js';
export { type InstanceMetadata, startInstanceMetadata } from './instance-metadata.js';
export { type PostgresOptions, type PostgresServer, startPostgres } from './postgres.js';
export { expectNoSecrets } from './secrets.js';
export { type Sts, type StsFailure, type StsRequest, startSts } from './sts.js';
