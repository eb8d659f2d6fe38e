// Whether the caller's policies permit rds-db:connect, by the simulator of IAM.

import { partitionOf } from '@rds-iam/core';
import { shellWord } from '../shell-word.js';
import { type Asked, type AwsCaller, askAws, clientSettings } from './aws-calls.js';
import type { Identity } from './credentials.js';
import { type Cause, failed, notChecked, passed, type Step } from './step.js';

/** What `rds-db:connect` is wanted on. */
export interface ConnectTarget {
  readonly region: string;
  readonly account: string;
  /** `db-…`, `cluster-…` or `prx-…`. */
  readonly resourceId: string;
  readonly username: string;
}

const connectArn = ({ region, account, resourceId, username }: ConnectTarget) =>
  `arn:${partitionOf(region)}:rds-db:${region}:${account}:dbuser:${resourceId}/${username}`;

/** A user or a role, as IAM knows it. */
export interface Principal {
  readonly kind: 'user' | 'role';
  readonly name: string;
  readonly arn: string;
}

/**
 * Pure. Of a role's session the role, whose path is not in the session's name: `arn` is then that of a role without one.
 * Undefined for who has no policies that can be simulated: the root user, and federated users.
 */
export function principalOf({ arn }: Identity): Principal | undefined {
  const [, partition, , , account, ...rest] = arn.split(':');
  const [kind, ...path] = rest.join(':').split('/');
  if (kind === 'user') return { kind, name: path.at(-1) ?? '', arn };
  const [name] = path;
  if (kind !== 'assumed-role' || name === undefined) return undefined;
  return { kind: 'role', name, arn: `arn:${partition}:iam::${account}:role/${name}` };
}

export interface Decision {
  readonly decision: string;
  /** The policies that decided. */
  readonly policies: readonly string[];
  /** Whether the organization's policies, or the boundary, permit it. */
  readonly byOrganization: boolean;
  readonly byBoundary: boolean;
}

/** Never rejects. */
export async function simulateConnect(
  caller: AwsCaller,
  principal: Principal,
  target: ConnectTarget,
): Promise<Asked<Decision>> {
  const { GetRoleCommand, IAMClient, SimulatePrincipalPolicyCommand } = await import('@aws-sdk/client-iam');
  // IAM is one for a partition, and of the AWS partition it is in us-east-1.
  const region = partitionOf(caller.region) === 'aws' ? 'us-east-1' : caller.region;
  const client = new IAMClient(clientSettings({ ...caller, region }));
  const simulate = (PolicySourceArn: string) =>
    askAws(caller, 'iam:SimulatePrincipalPolicy', async (options): Promise<Decision | undefined> => {
      const command = new SimulatePrincipalPolicyCommand({
        PolicySourceArn,
        ActionNames: ['rds-db:connect'],
        ResourceArns: [connectArn(target)],
      });
      const [found] = (await client.send(command, options)).EvaluationResults ?? [];
      if (found?.EvalDecision === undefined) return undefined;
      return {
        decision: found.EvalDecision,
        policies: (found.MatchedStatements ?? []).flatMap(({ SourcePolicyId }) => SourcePolicyId ?? []),
        byOrganization: found.OrganizationsDecisionDetail?.AllowedByOrganizations ?? true,
        byBoundary: found.PermissionsBoundaryDecisionDetail?.AllowedByPermissionsBoundary ?? true,
      };
    });
  try {
    const asked = await simulate(principal.arn);
    const isUnknown = 'error' in asked && /^NoSuchEntity/.test(asked.error.awsCode ?? '');
    if (!isUnknown || principal.kind === 'user') return asked;
    // Its path is not in the name of a session.
    const role = await askAws(
      caller,
      'iam:GetRole',
      async (options) => (await client.send(new GetRoleCommand({ RoleName: principal.name }), options)).Role?.Arn,
    );
    return 'answer' in role ? await simulate(role.answer) : role;
  } finally {
    client.destroy();
  }
}

/** Pure. */
export function judgePolicy(asked: Asked<Decision>, principal: Principal, target: ConnectTarget): Step {
  if ('error' in asked) return notChecked('policy', asked.error.message);
  const { decision, policies, byOrganization, byBoundary } = asked.answer;
  const who = `the ${principal.kind} "${principal.name}"`;
  const arn = connectArn(target);
  if (decision === 'allowed' && byOrganization && byBoundary) {
    return passed('policy', `the policies of ${who} allow rds-db:connect on ${arn}`);
  }
  const seen = `IAM's simulator says ${decision} to rds-db:connect`;
  if (!byOrganization || !byBoundary) {
    const which = byOrganization ? 'permissions boundary' : 'service control policies of the organization';
    const why = `the ${which} of ${who} do not allow rds-db:connect on ${arn}`;
    const fix = [{ do: `allow rds-db:connect in the ${which}` }];
    return failed('policy', seen, [{ diagnosis: 'denied-by-policy', why, fix }]);
  }
  if (decision === 'explicitDeny') {
    const by = policies.length === 0 ? '' : ` (${[...new Set(policies)].join(', ')})`;
    const why = `a policy of ${who}${by} denies rds-db:connect on ${arn}`;
    const fix = [{ do: `take the Deny out of that policy${by}` }];
    return failed('policy', seen, [{ diagnosis: 'denied-by-policy', why, fix }]);
  }
  return failed('policy', seen, [missingPolicy(principal, target)]);
}

/** What mends a policy that is missing. */
export function missingPolicy(principal: Principal | undefined, target: ConnectTarget): Cause {
  const { region, account, resourceId, username } = target;
  const who = principal ? `the ${principal.kind} "${principal.name}"` : 'these credentials';
  const put = principal
    ? `aws iam put-${principal.kind}-policy --${principal.kind}-name ${shellWord(principal.name)}`
    : 'aws iam put-role-policy --role-name ROLE';
  return {
    diagnosis: 'missing-policy',
    why: `no policy of ${who} allows rds-db:connect on ${connectArn(target)}`,
    fix: [
      {
        shell: `rds-iam policy --account-id ${shellWord(account)} --region ${shellWord(region)} --resource-id ${shellWord(resourceId)} --username ${shellWord(username)} > rds-iam-policy.json`,
      },
      { shell: `${put} --policy-name rds-iam --policy-document file://rds-iam-policy.json` },
    ],
  };
}
