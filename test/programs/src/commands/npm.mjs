// npm, as far as the documentation needs it: what is installed must exist, in a version that our packages are made for
// (the packed tarballs are installed by test/consumers), and a script that is run must find a login in its environment.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const packages = fileURLToPath(new URL('../../../../packages/', import.meta.url));
const manifests = readdirSync(packages)
  .filter((name) => existsSync(`${packages}${name}/package.json`))
  .map((name) => JSON.parse(readFileSync(`${packages}${name}/package.json`, 'utf8')));
const ours = new Set(manifests.map(({ name }) => name));
const peers = new Set(manifests.flatMap(({ peerDependencies = {} }) => Object.keys(peerDependencies)));
const { dependencies } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

const [, , command, ...args] = process.argv;
if (command === 'install') {
  for (const wanted of args.filter((arg) => !arg.startsWith('-'))) {
    const [, name, version] = /^(@?[^@]+)(?:@(.+))?$/.exec(wanted);
    if (!(ours.has(name) || peers.has(name) || name in dependencies)) throw new Error(`no test knows "${name}"`);
    if (version === undefined) continue;
    const owner = manifests.find(({ peerDependencies }) => peerDependencies?.[name]?.slice(1).startsWith(version));
    if (!owner) throw new Error(`no package is made for ${wanted}`);
  }
} else if (command === 'run') {
  if (!/X-Amz-Signature/.test(process.env.DATABASE_URL ?? '')) throw new Error('DATABASE_URL has no token');
} else if (command !== 'test') {
  throw new Error(`npm ${command} is not known here`);
}
