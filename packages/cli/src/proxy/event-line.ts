import type { ProxyEvent } from '@rds-iam/proxy';

/** One line of the proxy's log. */
export function eventLine(event: ProxyEvent): string {
  const { atMs, hostname, port, client, username, database } = event;
  const who = username === undefined ? 'nobody yet' : JSON.stringify(username);
  const where = `${hostname}:${port}${database === undefined ? '' : `/${database}`}`;
  const line = `${new Date(atMs).toISOString()} ${event.type} ${who} from ${client} to ${where}`;
  switch (event.type) {
    case 'login':
      return `${line}, in ${Math.round(event.durationMs)} ms`;
    case 'refusal':
      return `${line}: ${event.code ?? event.reason}: ${event.message}`;
    case 'logout':
      return `${line}, after ${Math.round(event.durationMs / 100) / 10} s, ${event.bytesIn} bytes in, ${event.bytesOut} out`;
  }
}

/** The line as JSON, for programs. */
export function eventJson({ atMs, ...event }: ProxyEvent): string {
  return JSON.stringify({ at: new Date(atMs).toISOString(), ...event });
}
