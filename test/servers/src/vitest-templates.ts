import { rmSync } from 'node:fs';
import { makeFolder } from './own-server.js';
import { TEMPLATES } from './templates.js';

/** Has the servers of a test run start from the same templates. */
export default function setup(): () => void {
  const folder = makeFolder('templates');
  // The processes of the tests get it from this one.
  process.env[TEMPLATES] = folder;
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}
