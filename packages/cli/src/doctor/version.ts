// Whether the engine's version supports IAM authentication, according to AWS's table.
import { type DatabaseEngine, iamAvailability } from '@rds-iam/core/doctor';
import { readEndpoint } from '../database/endpoint.js';
import { regionFlag } from '../shell-word.js';
import { databaseOf, modifyCommand } from './database.js';
import type { Facts } from './facts.js';
import { serverOf } from './server.js';
import { failed, notChecked, passed, type Step, warned } from './step.js';

/** Pure. */
export function judgeVersion(facts: Facts): Step {
  const { engine, region, tls } = facts;
  const [server, database, endpoint] = [serverOf(facts), databaseOf(facts), readEndpoint(facts.name.followed)];
  // The greeting of a proxy has the proxy's own version.
  const told = server?.version ?? (endpoint?.kind.startsWith('proxy') ? undefined : tls?.greeting);
  const version = told ?? database?.engineVersion;
  const source = told === undefined ? 'the RDS API' : 'the server';
  const engineName = database?.engine ?? '';
  if (version === undefined) return notChecked('version', 'neither the server nor the RDS API said the version');
  const kind: DatabaseEngine =
    engine === 'postgres' ? 'postgres' : /mariadb/i.test(`${version} ${engineName}`) ? 'mariadb' : 'mysql';
  const name = { postgres: 'PostgreSQL', mysql: 'MySQL', mariadb: 'MariaDB' }[kind];
  const isAurora =
    engineName.startsWith('aurora') ||
    endpoint?.kind === 'cluster' ||
    endpoint?.kind === 'customEndpoint' ||
    server?.isAurora;
  if (isAurora) {
    return passed(
      'version',
      `Aurora, ${name} ${version}, says ${source}: every version on offer has IAM authentication`,
    );
  }
  const found = iamAvailability(kind, version);
  if (!found) return notChecked('version', `the version "${version}" could not be read`);
  const seen = `${name} ${found.version}, says ${source}`;
  if (found.available) return passed('version', `${seen}: it has IAM authentication, as every ${name} ${since(found)}`);
  const why = `RDS has IAM authentication for ${name} from ${found.since}, and this is ${found.version}`;
  const engines = `aws rds describe-db-engine-versions --engine ${kind}${regionFlag(region)} --query 'DBEngineVersions[].EngineVersion'`;
  const fix = [
    { shell: engines },
    {
      shell: `${modifyCommand(facts)} --engine-version ONE-OF-THESE --allow-major-version-upgrade --apply-immediately`,
    },
  ];
  const causes = [{ diagnosis: 'engine-too-old' as const, why, fix }] as const;
  return server ? warned('version', `${seen}; the login works nevertheless`, causes) : failed('version', seen, causes);
}

const since = ({ since: version }: { readonly since: string }) => `from ${version}`;
