// A contender in a separate process, like an application: started by fork(), it gets its storm with the first message and begins
// with the second. It keeps its connections until its parent disconnects.
import { once } from 'node:events';
import { awsWrapper } from './aws-wrapper.js';
import { bare } from './bare.js';
import { oursFresh, oursKnowing, oursSharing, oursUnknowing } from './ours.js';
import type { Contender, Outcome, Storm } from './storm.js';

const CONTENDERS: Readonly<Record<string, Contender>> = {
  oursKnowing,
  oursUnknowing,
  oursSharing,
  oursFresh,
  bare,
  awsWrapper,
};

process.on('disconnect', () => process.exit());
const [storm] = (await once(process, 'message')) as [Storm];
const contender = CONTENDERS[storm.contender];
if (!contender) throw new TypeError(`no contender ${storm.contender}`);
const isOfFleet = storm.processes > 1;
const open = contender(isOfFleet ? { ...storm, wanted: storm.wanted + 1 } : storm);
// Processes that start on one machine slow each other down, unlike those of a fleet, so these have logged in before.
if (isOfFleet) await open();
const go = once(process, 'message');
process.send?.('ready');
await go;

const startedAt = performance.now();
const settled = await Promise.allSettled(Array.from({ length: storm.wanted }, open));
const outcome: Outcome = {
  opened: settled.filter(({ status }) => status === 'fulfilled').length,
  failures: count(settled.flatMap((result) => (result.status === 'rejected' ? [messageOf(result.reason)] : []))),
  durationMs: performance.now() - startedAt,
};
process.send?.(outcome);

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}

function count(messages: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const message of messages) counts[message] = (counts[message] ?? 0) + 1;
  return counts;
}
