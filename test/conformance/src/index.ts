export { describeConformance, type Row, type Subject, type SubjectOptions, type SubjectPool } from './contract.js';
export { type Manner, type RecordingServer, startRecordingServer } from './recording-postgres.js';
export { loopback, socketThatLooksUp } from './sockets.js';
export { CREDENTIALS, type Engine, RDS_HOSTNAME, REGION, type Stack, startStack } from './stack.js';
