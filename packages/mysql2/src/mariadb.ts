// A replacement for the mariadb connector: all of its exports, with connections, pools and clusters that log in with IAM.
export * as default from './mariadb/exports.js';
export * from './mariadb/exports.js';
