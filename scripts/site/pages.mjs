// The pages of the repository as the site has them: the same files, each with its title and its group in place of its first
// heading, whose links lead within the site where they can, and else to the repository.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';

const REPOSITORY = 'https://github.com/rds-iam/rds-iam/blob/main/';

/** In the order of the navigation. */
const GROUPS = [
  { name: 'Guides', has: (page) => page.startsWith('docs/') },
  { name: 'Packages', has: (page) => /^packages\/[^/]+\/README\.md$/.test(page) },
  {
    name: 'Project',
    has: (page) => /^(?:CONTRIBUTING|SECURITY|CHANGELOG)\.md$|^(?:test|bench)\/.*README\.md$/.test(page),
  },
];

/** Writes the pages below `folder`; the front page, and the others in the order of the navigation. */
export function writePages(root, folder) {
  const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
    cwd: root,
    encoding: 'utf8',
  })
    .split('\n')
    .filter((page) => page !== '' && existsSync(join(root, page)));
  const grouped = GROUPS.flatMap(({ name, has }) => tracked.filter(has).map((page) => ({ page, group: name })));
  const pages = new Set(['README.md', ...grouped.map(({ page }) => page)]);
  rmSync(folder, { recursive: true, force: true });
  const write = (page, group) => {
    const text = readFileSync(join(root, page), 'utf8');
    const title = /^# (.+)$/m.exec(text)?.[1].replaceAll('`', '') ?? page;
    const head = group === undefined ? '' : `---\ntitle: ${JSON.stringify(title)}\ngroup: ${group}\n---\n\n`;
    mkdirSync(dirname(join(folder, page)), { recursive: true });
    writeFileSync(
      join(folder, page),
      `${head}${withLinks(text.replace(/^# .+\n+/, ''), (link) => onSite(link, page, pages, root))}`,
    );
    return join(folder, page);
  };
  return { readme: write('README.md'), documents: grouped.map(({ page, group }) => write(page, group)) };
}

/** Replaces the targets of links, but not what looks like one in code. */
function withLinks(text, replace) {
  return text
    .split(/(^```[\s\S]*?^```$|`[^`\n]+`)/m)
    .map((part, index) => (index % 2 ? part : part.replace(/\]\(([^)\s]+)\)/g, (_, link) => `](${replace(link)})`)))
    .join('');
}

function onSite(link, page, pages, root) {
  if (/^(?:[a-z]+:|#)/i.test(link)) return link;
  const [path, anchor] = link.split('#');
  const target = normalize(join(dirname(page), path)).replace(/\/$/, '');
  const isFolder = existsSync(join(root, target)) && statSync(join(root, target)).isDirectory();
  const shown = isFolder ? join(target, 'README.md') : target;
  const suffix = anchor === undefined ? '' : `#${anchor}`;
  if (!pages.has(shown)) return `${REPOSITORY}${target}${suffix}`;
  const way = relative(dirname(page), shown);
  return `${way.startsWith('.') ? way : `./${way}`}${suffix}`;
}
