// A live page for a program's state, also used by other programs of this project.
export { type Answer, type HttpAddress, type LivePage, serveLivePage } from './live-page/server.js';
export { duration, LastMinute, type LiveState, type LiveTable, tokenAge } from './live-page/state.js';
