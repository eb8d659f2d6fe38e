export {
  Authentication,
  decodeAuthentication,
  decodePassword,
  decodeSaslInitial,
  encodeAuthentication,
  encodePassword,
  encodeSaslInitial,
  MAX_PASSWORD_BYTES,
  type SaslInitial,
} from './postgres/authentication.js';
export { decodeErrorFields, ErrorField, type ErrorFields, encodeErrorResponse } from './postgres/error-response.js';
export {
  decodeFirstPacket,
  encodeFirstPacket,
  type FirstPacket,
  MAX_STARTUP_BYTES,
  RequestCode,
  readFirstPacket,
  type Startup,
  TLS_HANDSHAKE,
} from './postgres/first-packet.js';
export {
  encodeMessage,
  type Message,
  MessageAssembler,
  MessageType,
  readMessage,
  withLength,
} from './postgres/message.js';
