export { Capability, MARIADB_CAPABILITIES_OF_SESSIONS, MariadbCapability } from './mysql/capability.js';
export { type ChangeUser, decodeChangeUser, encodeChangeUser } from './mysql/change-user.js';
export { Channel, type ChannelEnd } from './mysql/channel.js';
export { Command, CommandTracker, type Holds, type Scan, type Tracker } from './mysql/command.js';
export { CompressedTracker, encodeFrame } from './mysql/compression.js';
export { nulTerminated } from './mysql/cursor.js';
export { decodeGreeting, encodeGreeting, type Greeting, SCRAMBLE_BYTES } from './mysql/greeting.js';
export {
  decodeCapabilities,
  decodeHandshakeResponse,
  encodeHandshakeResponse,
  encodeSslRequest,
  type HandshakeResponse,
  type Offered,
  SSL_REQUEST_BYTES,
} from './mysql/handshake-response.js';
export {
  encodePacket,
  HEADER_BYTES,
  MAX_PAYLOAD_BYTES,
  type Packet,
  PacketAssembler,
} from './mysql/packet.js';
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
} from './mysql/reply.js';
export { cachingSha2Password, encryptPassword, nativePassword } from './mysql/scrambles.js';
export { findAnswer, joinUntilHeld, settle } from './mysql/session.js';
