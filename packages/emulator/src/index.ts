export type { AccessKey } from './access-key.js';
export {
  type CertificateAuthority,
  type CertificateOptions,
  createCertificateAuthority,
  type IssuedCertificate,
} from './certificates.js';
export { type Emulator, type EmulatorStats, startEmulator } from './emulator.js';
export type { Faults, ThrottleFault } from './faults.js';
export type { LoginEvent, SeenToken } from './login-event.js';
export type { EmulatorOptions, Engine, UpstreamOptions } from './options.js';
export type { RefusalReason } from './refusal.js';
