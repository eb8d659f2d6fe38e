// A page that shows live what a program does, for programs of this project other than the proxy, too.
export { type Answer, type HttpAddress, type LivePage, serveLivePage } from './live-page/server.js';
export { duration, LastMinute, type LiveState, type LiveTable, tokenAge } from './live-page/state.js';
