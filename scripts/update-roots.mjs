// Makes packages/core/src/root-certificates.ts out of AWS's bundles of all public partitions, which it downloads: for
// maintainers, and once a week for a workflow. Run it as `npx pnpm@10 roots`; with a path, it writes there. As for `rds-iam ca`,
// RDS_IAM_CA_MIRROR is where the same files are, below the name of AWS's host.
import { readFile, writeFile } from 'node:fs/promises';
import { downloadBundle, PUBLIC_PARTITIONS, readBundle } from '../packages/core/src/ca-bundles.js';
import { isRegion } from '../packages/core/src/endpoint.js';

const FILE = new URL('../packages/core/src/root-certificates.ts', import.meta.url);
const [target = FILE] = process.argv.slice(2);

const roots = new Map();
for (const partition of PUBLIC_PARTITIONS) {
  const text = await downloadBundle(partition, process.env.RDS_IAM_CA_MIRROR);
  for (const root of readBundle(text, Date.now())) roots.set(root.name, root);
}
const byRegion = {};
for (const [name, { region, pem }] of [...roots].sort(([a], [b]) => (a < b ? -1 : 1))) {
  // The authorities of previews belong to no region's databases.
  const key = region ?? name.replace(/^Amazon RDS | Root CA .*$/g, '');
  byRegion[key] = [...(byRegion[key] ?? []), base64Of(pem)];
}
// Those of RDS Proxy are in none of the bundles.
const amazon = /\n\/\*\*[^/]*\*\/\nexport const AMAZON_ROOTS[\s\S]*?\n\];\n/.exec(await readFile(FILE, 'utf8'))?.[0];
if (!amazon) throw new Error('there are no AMAZON_ROOTS to keep');
await writeFile(
  target,
  `// Made by scripts/update-roots.mjs: certificates in base64.
type Certificates = readonly string[];

/** Of Amazon RDS, by region. */
export const RDS_ROOTS: Readonly<Record<string, Certificates>> = {
${Object.entries(byRegion).sort().map(entry).join('')}};
${amazon}`,
);
// The pages say which regions there are.
const regions = Object.keys(byRegion).filter(isRegion).sort().join(', ');
for (const page of target === FILE ? ['README.md', 'docs/security.md'] : []) {
  const text = await readFile(page, 'utf8');
  await writeFile(page, text.replace(/(?<=<!-- regions -->)[^<]*(?=<!-- \/regions -->)/, regions));
}
process.stdout.write(`${roots.size} roots, of ${Object.keys(byRegion).join(', ')}\n`);

function entry([region, certificates]) {
  return `  '${region}': [\n${certificates.map((certificate) => `    '${certificate}',\n`).join('')}  ],\n`;
}

function base64Of(pem) {
  return pem.replace(/-----[^-]+-----|\s/g, '');
}
