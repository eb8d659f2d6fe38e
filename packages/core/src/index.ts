export type { AwsCredentialIdentity, AwsCredentialIdentityProvider } from './credentials.js';
export type { RdsIamEvents } from './diagnostics.js';
export type { Dial, DialAddress, DialedEndpoint } from './dial.js';
export { dialedLogin, followSocket, LoginReader, type StartedTls } from './dialed-login.js';
export {
  checkEndpoint,
  type Endpoint,
  followCnames,
  isRegion,
  parseRdsHostname,
  partitionOf,
  type RdsHostname,
} from './endpoint.js';
export type { Engine, ErrorShape, IamAccount, Meaning } from './engines/engine.js';
export {
  // Until all adapters have it of `@rds-iam/core/adapter`.
  configErrorOf as configError,
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
export { createRdsIam, isRdsIam, type RdsIam, rdsIamOf } from './rds-iam.js';
export { rdsRoots } from './roots.js';
export {
  assertVerifiedPeer,
  type CaCertificates,
  checkDriverTls,
  type DriverTls,
  type PeerSession,
} from './tls.js';
export type { AuthToken } from './tokens.js';
export type { AlwaysIam, SwitchableIam, WithIam } from './with-iam.js';
