export { type Bundle, bundle } from './bundle.js';
export { type CompressingRelay, startCompressingRelay } from './compressing-relay.js';
export {
  describeConformance,
  type Row,
  type Subject,
  type SubjectOptions,
  type SubjectPool,
  type SubjectSession,
} from './contract.js';
export { type Driver, describeDriverSafety } from './driver-safety.js';
export { count, listen } from './events.js';
export { hostileServers, PART_OF_TOKEN } from './hostile-servers.js';
export { JumpingClock } from './jumping-clock.js';
export { Ledger } from './ledger.js';
export { describeLogins, type Place } from './logins.js';
export { authSwitch, type MysqlManner, packet, startRecordingMysql } from './recording-mysql.js';
export { type PostgresManner, startRecordingPostgres } from './recording-postgres.js';
export { FREE, runProgram } from './run-program.js';
export { describeScenario } from './scenario.js';
export { next, Seen, turn } from './seen.js';
export { describeSocketBehavior, listening, SOCKETS, type SocketLike, type SocketSubject } from './socket-behavior.js';
export { loopback, socketThatLooksUp } from './sockets.js';
export { CREDENTIALS, type Engine, RDS_HOSTNAME, REGION, type Stack, startStack } from './stack.js';
export { verifyNothing } from './tls-sockets.js';
