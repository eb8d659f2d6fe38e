import { execFile } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';

/** Signs in a separate process, and returns snapshots of its heap before, while it has the token, and after. */
const PROGRAM = `
  import { writeHeapSnapshot } from 'node:v8';
  import { createRdsIam } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)};
  const { ACCESS_KEY_ID: accessKeyId, SECRET: secretAccessKey, SESSION: sessionToken, FOLDER } = process.env;
  const credentials = { accessKeyId, secretAccessKey, sessionToken };
  const at = { hostname: 'db.abc.eu-west-1.rds.amazonaws.com', port: 5432, username: 'app' };
  async function hold() {
    const iam = createRdsIam({ credentials });
    await iam.getToken(at);
    writeHeapSnapshot(FOLDER + '/holding');
    return iam.enabled;
  }
  writeHeapSnapshot(FOLDER + '/before');
  await hold();
  // Settled promises are freed with the turn, and a regular expression remembers the last text that it was run on.
  await new Promise(setImmediate);
  /./.test('another text');
  writeHeapSnapshot(FOLDER + '/after');`;

/** The strings that are alive in a heap snapshot, which only has the beginning of long ones. */
async function textsOf(path: string): Promise<readonly string[]> {
  const { nodes, strings, snapshot } = JSON.parse(await readFile(path, 'utf8'));
  const { node_fields: fields, node_types: types } = snapshot.meta;
  const texts: string[] = [];
  for (let at = 0; at < nodes.length; at += fields.length) {
    if (/string/.test(types[0][nodes[at]])) texts.push(strings[nodes[at + 1]]);
  }
  return texts;
}

test('signing leaves the token in memory while it is valid, but never a copy of the secret or a key', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rds-iam-heap-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const secret = randomBytes(30).toString('base64');
  // With characters that a token encodes, so that the encoded form can be told apart.
  const session = `+/${randomBytes(30).toString('base64')}`;
  await promisify(execFile)(
    process.execPath,
    ['--conditions=@rds-iam/source', '--import', 'tsx', '--input-type=module', '--eval', PROGRAM],
    {
      cwd: fileURLToPath(new URL('../../../test/demo', import.meta.url)),
      env: { ...process.env, ACCESS_KEY_ID: 'AKIAHEAP', SECRET: secret, SESSION: session, FOLDER: folder },
    },
  );
  const [before, holding, after] = await Promise.all(
    ['before', 'holding', 'after'].map((name) => textsOf(join(folder, name))),
  );
  const counted = (texts: readonly string[] = []) => {
    const [token] = texts.filter((text) => text.includes('?Action=connect&DBUser=app&'));
    const [, day = ''] = /X-Amz-Date=(\d{8})/.exec(token ?? '') ?? [];
    const key = ['eu-west-1', 'rds-db', 'aws4_request'].reduce(
      (derived, part) => createHmac('sha256', derived).update(part).digest(),
      createHmac('sha256', `AWS4${secret}`).update(day).digest(),
    );
    const having = (part: string) => texts.filter((text) => text.includes(part)).length;
    return {
      secret: having(secret),
      session: having(session),
      encodedSession: having(encodeURIComponent(session)),
      tokens: having('?Action=connect&DBUser='),
      keys: having(key.toString('hex')) + having(key.toString('base64')) + having(key.toString('latin1')),
    };
  };
  const nothing = { ...counted(before), encodedSession: 0, tokens: 0, keys: 0 };
  expect(nothing.secret).toBeGreaterThan(0);
  expect(counted(before)).toEqual(nothing);
  expect(counted(holding)).toEqual({ ...nothing, encodedSession: 1, tokens: 1 });
  expect(counted(after)).toEqual(nothing);
});
