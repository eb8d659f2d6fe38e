export type { ProxyEvent } from './event.js';
export type { Listening } from './listen.js';
export type { HttpAddress } from './live-page/server.js';
export { isLoopback, type ProxyOptions, type ProxyTarget } from './options.js';
export { type ProxyListener, type ProxyStats, type RdsIamProxy, startProxy } from './proxy.js';
export type { RefusalReason } from './refusal.js';
