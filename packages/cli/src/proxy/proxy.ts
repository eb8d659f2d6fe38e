import { type RdsIamProxy, startProxy } from '@rds-iam/proxy';
import { printed, tell, writeTalk } from '../terminal.js';
import { eventJson, eventLine } from './event-line.js';
import { connectionTo, describe } from './paste.js';
import type { ProxySettings } from './settings.js';

/** These end it at once; SIGTERM waits until the clients have left. */
const END_SIGNALS = ['SIGINT', 'SIGHUP'] as const;

/** Serves until a signal ends it. @returns the exit code of the process */
export async function serveProxy(settings: ProxySettings, json: boolean): Promise<number> {
  const { options, maxSigtermDelayMs, hasOwnPassword } = settings;
  const terminated = new AbortController();
  const ended = new AbortController();
  const onTerm = () => (terminated.signal.aborted ? ended : terminated).abort();
  const onEnd = () => {
    ended.abort();
    terminated.abort();
  };
  process.on('SIGTERM', onTerm);
  for (const signal of END_SIGNALS) process.on(signal, onEnd);
  try {
    await using proxy = await startProxy({
      ...options,
      onEvent: (event) => (json ? writeTalk(`${eventJson(event)}\n`) : tell(eventLine(event))),
    });
    const password = hasOwnPassword ? undefined : proxy.password;
    const connections = proxy.listeners.map((listener) => connectionTo(listener, password));
    // Nobody could connect without these settings.
    const http = proxy.http && `http://${proxy.http.address}:${proxy.http.port}/`;
    await printed(
      json ? JSON.stringify({ connections, http }) : describe(proxy, connections, options.tls !== undefined),
    );
    if (!json) tell(`ready${http === undefined ? '' : `, live at ${http}`}; Ctrl-C ends it`);
    await aborted(terminated.signal);
    if (!ended.signal.aborted) await drain(proxy, maxSigtermDelayMs, ended.signal, json);
  } finally {
    process.off('SIGTERM', onTerm);
    for (const signal of END_SIGNALS) process.off(signal, onEnd);
  }
  if (!json) tell('stopped');
  return 0;
}

async function drain(proxy: RdsIamProxy, delayMs: number, ended: AbortSignal, json: boolean): Promise<void> {
  const { admitted } = proxy.stats;
  const drained = proxy.drain(AbortSignal.any([ended, AbortSignal.timeout(delayMs)]));
  // Printed once nobody is let in any more.
  if (!json && admitted > 0) tell(`${admitted} connections continue, for ${delayMs / 1_000} s at most`);
  await drained;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
