// JSON and YAML in the documentation: parsed, and the parts about IAM logins compared with the code.
import { parseAllDocuments } from 'yaml';
import { SETTINGS } from '../../../packages/cli/src/proxy/flags.js';
import type { Block } from './markdown.js';
import type { Outcome } from './rds.js';

type Mapping = Readonly<Record<string, unknown>>;

/** @param shell - runs a script */
export async function checkData({ language, code }: Block, shell: (script: string) => Promise<Outcome>): Promise<void> {
  if (language === 'json') return checkJson(JSON.parse(code), shell);
  for (const document of parseAllDocuments(code)) {
    if (document.errors.length > 0) throw document.errors[0];
    checkYaml(document.toJS());
  }
}

async function checkJson(value: Mapping, shell: (script: string) => Promise<Outcome>): Promise<void> {
  if ('urls' in value) return checkProxySettings(Object.keys(value));
  if ('error' in value) return checkError(value, shell);
  if (!Array.isArray(value['Statement']))
    throw new Error('JSON that is no IAM policy: no test knows what it should be');
  const statements = value['Statement'] as Mapping[];
  if (statements.every(({ Action }) => Action === 'rds-db:connect')) return checkConnectPolicy(value, shell);
  for (const statement of statements) checkTrust(statement);
}

/** An error must be the command line tool's own, without any settings. */
async function checkError(error: Mapping, shell: (script: string) => Promise<Outcome>): Promise<void> {
  const { stderr } = await shell('env -u DATABASE_URL -u PGHOST rds-iam token --json');
  if (stderr !== `${JSON.stringify(error)}\n`) throw new Error(`rds-iam token: ${stderr}`);
}

const CONNECT_ARN = /^arn:[\w-]+:rds-db:([\w-]+):(\d{12}):dbuser:([\w-]+)\/([\w.-]+)$/;

/** A policy for logins must be what `rds-iam policy` prints for its resources. */
async function checkConnectPolicy(policy: Mapping, shell: (script: string) => Promise<Outcome>): Promise<void> {
  const [{ Resource: arns }] = policy['Statement'] as [{ readonly Resource: readonly string[] }];
  const parts = arns.map((arn) => {
    const found = CONNECT_ARN.exec(arn);
    if (!found) throw new Error(`no ARN of rds-db:connect: ${arn}`);
    return found.slice(1) as [region: string, account: string, resource: string, username: string];
  });
  const all = (index: 0 | 1 | 2 | 3) => [...new Set(parts.map((each) => each[index]))].join(' ');
  const flags = `--region ${all(0)} --account-id ${all(1)} --resource-id ${all(2)} --username ${all(3)}`;
  const { stdout, stderr } = await shell(`rds-iam policy ${flags}`);
  if (stdout.trim() !== JSON.stringify(policy, undefined, 2)) throw new Error(`rds-iam policy: ${stdout}${stderr}`);
}

const ROLE_ARN = /^arn:aws:iam::\d{12}:role\/[\w/-]+$/;
const PROVIDER_ARN = /^arn:aws:iam::\d{12}:oidc-provider\/[\w./-]+$/;
const SERVICE = /^[a-z]+(?:\.[a-z]+)?\.amazonaws\.com$/;
const TRUST_ACTIONS: readonly unknown[] = ['sts:AssumeRole', 'sts:TagSession', 'sts:AssumeRoleWithWebIdentity'];

/** A policy that says who may assume a role, or which role may be assumed. */
function checkTrust({ Effect, Action, Principal, Resource }: Mapping): void {
  const actions = [Action].flat();
  const names = [...Object.values((Principal ?? {}) as Mapping), ...[Resource ?? []]].flat();
  const isNamed = names.every((name) => [ROLE_ARN, PROVIDER_ARN, SERVICE].some((known) => known.test(String(name))));
  if (Effect !== 'Allow' || !actions.every((each) => TRUST_ACTIONS.includes(each)) || names.length === 0 || !isNamed) {
    throw new Error(
      `no statement that lets a role be assumed: ${JSON.stringify({ Effect, Action, Principal, Resource })}`,
    );
  }
}

/** The proxy's settings, by the names of its flags. */
function checkProxySettings(names: readonly string[]): void {
  const known = ['urls', 'password', ...Object.keys(SETTINGS)];
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`the proxy has no settings ${unknown.join(', ')}`);
}

const PROXY_VARIABLE = /^RDS_IAM_PROXY_(\w+)$/;

/** The names of settings in environment variables, anywhere in a manifest. */
function checkVariables(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  const names = [...Object.keys(value), ...Object.values(value)].flatMap(
    (text) => PROXY_VARIABLE.exec(String(text))?.[1] ?? [],
  );
  checkProxySettings(names.map((name) => name.toLowerCase().replaceAll('_', '-')));
  for (const inner of Object.values(value)) checkVariables(inner);
}

/** The parts of a Kubernetes manifest or a workflow that logins depend on. */
function checkYaml(value: Mapping): void {
  checkVariables(value);
  if ('services' in value) return;
  const { kind, metadata, spec } = value as { kind?: string; metadata?: Mapping; spec?: Mapping };
  if (kind === 'ServiceAccount') {
    const role = (metadata?.['annotations'] as Mapping | undefined)?.['eks.amazonaws.com/role-arn'];
    if (role !== undefined && !ROLE_ARN.test(String(role))) throw new Error(`no ARN of a role: ${role}`);
    return;
  }
  if (kind === 'Deployment') {
    const pod = (spec?.['template'] as { spec?: Mapping } | undefined)?.spec;
    if (typeof pod?.['serviceAccountName'] !== 'string') throw new Error('a pod without a serviceAccountName');
    return;
  }
  throw new Error('YAML of a kind that no test knows');
}
