export type { ConnectOptions, Login } from './connect.js';
export type { AwsCredentialIdentity, AwsCredentialIdentityProvider } from './credentials.js';
export type { RdsIamEvents } from './diagnostics.js';
export { checkEndpoint, type Endpoint, parseRdsHostname, type RdsHostname } from './endpoint.js';
export { configError, isRdsIamError, RdsIamError, type RdsIamErrorCode, type RdsIamErrorDetails } from './errors.js';
export type { RdsIamOptions, RetryOptions } from './options.js';
export { createRdsIam, isRdsIam, type RdsIam } from './rds-iam.js';
export { assertVerifiedPeer, type CaCertificates, checkDriverTls, type DriverTls } from './tls.js';
export type { AuthToken } from './tokens.js';
