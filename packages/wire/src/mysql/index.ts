export { Capability, MariadbCapability } from './capability.js';
export { type ChangeUser, decodeChangeUser, encodeChangeUser } from './change-user.js';
export { Channel, type ChannelEnd } from './channel.js';
export { Command, CommandTracker, type Scan } from './command.js';
export { nulTerminated } from './cursor.js';
export { decodeGreeting, encodeGreeting, type Greeting, SCRAMBLE_BYTES } from './greeting.js';
export {
  decodeCapabilities,
  decodeHandshakeResponse,
  encodeHandshakeResponse,
  encodeSslRequest,
  type HandshakeResponse,
  type Offered,
  SSL_REQUEST_BYTES,
} from './handshake-response.js';
export {
  encodePacket,
  HEADER_BYTES,
  MAX_PAYLOAD_BYTES,
  type Packet,
  PacketAssembler,
  readPacket,
} from './packet.js';
export {
  type AuthSwitch,
  decodeAuthSwitch,
  decodeError,
  type ErrorReport,
  encodeAuthSwitch,
  encodeError,
  encodeMoreData,
  Plugin,
  Reply,
  Sha2,
} from './reply.js';
export { cachingSha2Password, encryptPassword, nativePassword } from './scrambles.js';
