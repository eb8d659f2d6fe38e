// The site: the pages of the repository, and a reference of all that the packages export, from their TSDoc. TypeDoc needs a
// TypeScript of its own, older than the workspace's. Whatever it warns of is an error, dead links included.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Converter } from 'typedoc';
import { writePages } from './pages.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The source of each entry point, which is what a package's `exports` has for the workspace itself, and its import name. */
const entries = readdirSync(join(root, 'packages')).flatMap((folder) => {
  const manifest = join(root, 'packages', folder, 'package.json');
  if (!existsSync(manifest)) return [];
  const { name, exports } = JSON.parse(readFileSync(manifest, 'utf8'));
  return Object.entries(exports)
    .filter(([, entry]) => entry['@rds-iam/source'])
    .map(([subpath, entry]) => ({
      source: join(root, 'packages', folder, entry['@rds-iam/source']),
      name: join(name, subpath),
      package: name,
    }));
});

/** Has each module called what it is imported by, and not the path of its source. */
function namedByImport(app) {
  const names = new Map(
    entries.map(({ source, name }) => [relative(root, source).replace(/(?:\/index)?\.ts$/, ''), name]),
  );
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.children ?? []) module.name = names.get(module.name) ?? module.name;
  });
}

const { readme, documents } = writePages(root, fileURLToPath(new URL('pages', import.meta.url)));

/** @type {Partial<import('typedoc').TypeDocOptions>} */
export default {
  name: 'rds-iam',
  entryPoints: entries.map(({ source }) => source),
  tsconfig: fileURLToPath(new URL('tsconfig.json', import.meta.url)),
  basePath: root,
  displayBasePath: root,
  out: process.env.SITE_FOLDER ?? fileURLToPath(new URL('dist', import.meta.url)),
  plugin: [namedByImport],
  readme,
  projectDocuments: documents,
  router: 'kind',
  customCss: fileURLToPath(new URL('style.css', import.meta.url)),
  searchInComments: true,
  searchInDocuments: true,
  groupOrder: ['Guides', 'Packages', 'Project', '*'],
  highlightLanguages: ['console', 'diff', 'ini', 'js', 'json', 'sh', 'sql', 'text', 'ts', 'yaml'],
  // Redis's commands have no grammar.
  ignoredHighlightLanguages: ['redis'],
  navigationLinks: { GitHub: 'https://github.com/rds-iam/rds-iam' },
  navigation: { includeGroups: true },
  sort: ['source-order'],
  excludeInternal: true,
  excludePrivate: true,
  disableSources: true,
  validation: { notExported: true, invalidLink: true, invalidPath: true, rewrittenLink: true, notDocumented: true },
  // Without it, only those of the package in this folder.
  packagesRequiringDocumentation: [...new Set(entries.map(({ package: name }) => name))],
  requiredToBeDocumented: ['Class', 'Function', 'Interface', 'TypeAlias', 'Variable'],
  // As the driver or the client has them.
  intentionallyNotDocumented: [
    '@rds-iam/core/adapter.DialedStream._read',
    '@rds-iam/core/adapter.DialedStream._write',
    '@rds-iam/core/adapter.DialedStream._final',
    '@rds-iam/core/adapter.DialedStream._destroy',
    '@rds-iam/core/adapter.DialedStream.setTimeout',
    '@rds-iam/core/adapter.DialedStream.setKeepAlive',
    '@rds-iam/core/adapter.DialedStream.setNoDelay',
    '@rds-iam/core/adapter.DialedStream.ref',
    '@rds-iam/core/adapter.DialedStream.unref',
    '@rds-iam/core/adapter.DialedStream.address',
    '@rds-iam/core/adapter.DialedStream.getPeerCertificate',
    '@rds-iam/core/adapter.DialedStream.getCipher',
    '@rds-iam/core/adapter.DialedStream.getProtocol',
    '@rds-iam/mysql2/mariadb.PoolCluster.add',
    '@rds-iam/wire/mysql.ChannelEnd.reader.__type.read',
    '@rds-iam/mysql2.AddNode.add',
    '@rds-iam/mysql2/promise.PromisePool.__type',
    '@rds-iam/mysql2/promise.PoolCluster.add',
    '@rds-iam/pg.Pool.connect',
    '@rds-iam/pg.Pool.end',
    '@rds-iam/redis.IoredisClient.eval',
    '@rds-iam/redis.IoredisClient.once',
    '@rds-iam/redis.NodeRedisClient.eval',
    '@rds-iam/redis.NodeRedisClient.once',
    '@rds-iam/core/adapter.LoginReader.Assembler.__type.add',
    '@rds-iam/core/adapter.LoginReader.constructor.Assembler.__type.add',
  ],
  externalSymbolLinkMappings: { '@types/node': { '*': '#' } },
  treatWarningsAsErrors: true,
  treatValidationWarningsAsErrors: true,
};
