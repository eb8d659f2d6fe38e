import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { VARIABLES } from '../src/environment.js';

const file = fileURLToPath(new URL('../template.yaml', import.meta.url));
const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** The parameters or resources that CloudFormation's short forms refer to. */
const references: string[] = [];
const refer = (name: string) => {
  references.push(name.split('.')[0] ?? '');
  return name;
};
const customTags = [
  { tag: '!Ref', resolve: refer },
  { tag: '!GetAtt', resolve: refer },
  {
    tag: '!Sub',
    resolve(text: string) {
      for (const [, name] of text.matchAll(/\$\{([^}]+)\}/g)) refer(String(name));
      return text;
    },
  },
];

interface Template {
  readonly Parameters: Readonly<Record<string, { readonly Default?: unknown }>>;
  readonly Resources: Readonly<Record<string, { readonly Type: string; readonly Properties: Record<string, unknown> }>>;
  readonly Outputs: Readonly<Record<string, { readonly Description: string }>>;
}
const { Parameters, Resources, Outputs }: Template = parse(readFileSync(file, 'utf8'), { customTags });

test('everything that the template refers to exists, and every parameter is used', () => {
  const known = [...Object.keys(Parameters), ...Object.keys(Resources)];
  const unknown = references.filter((name) => !name.startsWith('AWS::') && !known.includes(name));
  expect(unknown).toEqual([]);
  expect(Object.keys(Parameters).filter((name) => !references.includes(name))).toEqual([]);
});

test('its instances have IAM authentication, can be reached from only one place, and leave nothing behind', () => {
  const instances = Object.values(Resources).filter(({ Type }) => Type === 'AWS::RDS::DBInstance');
  expect(instances).toHaveLength(2);
  for (const instance of instances) {
    expect(instance).toMatchObject({
      DeletionPolicy: 'Delete',
      Properties: { EnableIAMDatabaseAuthentication: true, BackupRetentionPeriod: 0, StorageEncrypted: true },
    });
  }
  expect(Parameters['ClientCidr'], 'there is no address that fits everybody').not.toHaveProperty('Default');
  const rules = Resources['DatabaseAccess']?.Properties['SecurityGroupIngress'] as { CidrIp: string }[];
  expect(rules.map(({ CidrIp }) => CidrIp)).toEqual(['ClientCidr', 'ClientCidr']);
});

test('the README names every variable, output and parameter', () => {
  const outputs = Object.values(Outputs).map(({ Description }) => Description);
  for (const variable of Object.values(VARIABLES)) expect(outputs).toContain(`For ${variable}`);
  for (const name of [...Object.values(VARIABLES), ...Object.keys(Outputs), 'ClientCidr'])
    expect(readme).toContain(name);
});

const hasLinter = spawnSync('cfn-lint', ['--version']).status === 0;
test.skipIf(!hasLinter)(
  'cfn-lint, if this machine has it, finds nothing',
  () => {
    expect(
      execFileSync('cfn-lint', ['--regions', 'eu-west-1', '--non-zero-exit-code', 'informational', '--', file], {
        encoding: 'utf8',
      }),
    ).toBe('');
  },
  60_000,
);
