// In place of the mariadb connector: all that it exports, with connections, pools and clusters that log in with IAM.
export * as default from './mariadb/exports.js';
export * from './mariadb/exports.js';
