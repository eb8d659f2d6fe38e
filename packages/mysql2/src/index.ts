// In place of mysql2: all that it exports, with connections, pools and clusters that log in with IAM.
export * as default from './mysql2/exports.js';
export * from './mysql2/exports.js';
