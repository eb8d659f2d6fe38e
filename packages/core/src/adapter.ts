// The building blocks of an adapter for a driver or framework; applications need none of them.
export { dialedLogin, LoginReader, type MakeSocket, type StartedTls } from './dialed-login.js';
export { DialedStream } from './dialed-stream.js';
export { checkEndpoint, type Endpoint } from './endpoint.js';
export type { Engine, ErrorShape, IamAccount, Meaning } from './engines/engine.js';
export { mysql } from './engines/mysql.js';
export { postgres } from './engines/postgres.js';
export { configError } from './errors.js';
export { type FailureKind, LoginFailure } from './failure.js';
export { boundBy, shareOfWait, type Wait } from './framework-wait.js';
export type { ConnectOptions, Login } from './login.js';
export { rdsIamOf } from './rds-iam.js';
export { assertVerifiedPeer, checkDriverTls, type DriverTls, type PeerSession } from './tls.js';
export {
  type AlwaysIam,
  quotable,
  refusePassword,
  refusePasswordInUrl,
  type SwitchableIam,
  type WithIam,
  withIam,
} from './with-iam.js';
