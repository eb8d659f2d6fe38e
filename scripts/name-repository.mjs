// Has each package that is published say which repository it comes from, without which npm refuses its provenance. In a
// GitHub workflow only: the sources do not know where they are kept.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const { GITHUB_SERVER_URL = 'https://github.com', GITHUB_REPOSITORY } = process.env;
for (const folder of GITHUB_REPOSITORY ? readdirSync('packages') : []) {
  const file = `packages/${folder}/package.json`;
  const manifest = JSON.parse(readFileSync(file, 'utf8'));
  manifest.repository ??= {
    type: 'git',
    url: `git+${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}.git`,
    directory: `packages/${folder}`,
  };
  writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
}
