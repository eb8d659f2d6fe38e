// A replacement for pg: all of its exports, with a Client and a Pool that log in with IAM.
export * as default from './exports.js';
export * from './exports.js';
