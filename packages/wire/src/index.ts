export { ByteQueue } from './byte-queue.js';
export { ByteReader } from './byte-reader.js';
export { closeTogether } from './close-together.js';
export {
  ConnectionEnded,
  isConnectionEnded,
  isProtocolError,
  ProtocolError,
  type ProtocolErrorKind,
} from './protocol-error.js';
