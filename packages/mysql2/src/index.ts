// A replacement for mysql2: all of its exports, with connections, pools and clusters that log in with IAM.
export * as default from './mysql2/exports.js';
export * from './mysql2/exports.js';
