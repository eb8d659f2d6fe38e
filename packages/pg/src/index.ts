// In place of pg: all that it exports, with a Client and a Pool that log in with IAM.
export * as default from './exports.js';
export * from './exports.js';
