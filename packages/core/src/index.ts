// What applications use, and the types that appear in it.
export type { AwsCredentialIdentity, AwsCredentialIdentityProvider } from './credentials.js';
export type { RdsIamEvents } from './diagnostics.js';
export type { Dial, DialAddress, DialedEndpoint } from './dial.js';
export { type Endpoint, followCnames, isRegion, parseRdsHostname, partitionOf, type RdsHostname } from './endpoint.js';
export type { Engine, ErrorShape, IamAccount, Meaning } from './engines/engine.js';
export {
  isRdsIamError,
  type RdsIamConfigError,
  RdsIamError,
  type RdsIamErrorClass,
  type RdsIamErrorCode,
  type RdsIamErrorDetails,
  type RdsIamLoginError,
  type RdsIamOtherError,
} from './errors.js';
export type { FailureKind } from './failure.js';
export type { ConnectionLimiter } from './limiter.js';
export type { ConnectOptions, Login } from './login.js';
export type { RdsIamOptions, RetryOptions } from './options.js';
export { createRdsIam, type RdsIam } from './rds-iam.js';
export { rdsRoots } from './roots.js';
export type { CaCertificates, DriverTls, PeerSession } from './tls.js';
export type { AuthToken } from './tokens.js';
