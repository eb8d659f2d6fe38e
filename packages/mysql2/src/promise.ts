// In place of mysql2/promise: all that it exports, with connections, pools and clusters that log in with IAM.
export * as default from './mysql2/promise-exports.js';
export * from './mysql2/promise-exports.js';
