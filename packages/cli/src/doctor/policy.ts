// Whether the caller's policies allow rds-db:connect, according to IAM's policy simulator.

import { partitionOf } from '@rds-iam/core';
import { shellWord } from '../shell-word.js';
import {
  type Asked,
  type AwsCaller,
  answerOf,
  askAws,
  awsCodeOf,
  callerOf,
  clientSettings,
  unanswered,
} from './aws-calls.js';
import type { Identity } from './credentials.js';
import { databaseOf } from './database.js';
import type { Facts } from './facts.js';
import { type Cause, failed, notChecked, passed, type Step } from './step.js';

/** The resource of `rds-db:connect`, with placeholders for what is not known. Pure. */
function connectTarget(facts: Facts) {
  const { region = 'REGION', identity, username } = facts;
  const { accountId, resourceId = 'RESOURCE-ID' } = databaseOf(facts) ?? {};
  return { region, account: accountId ?? answerOf(identity)?.account ?? 'ACCOUNT', resourceId, username };
}

function connectArn(facts: Facts): string {
  const { region, account, resourceId, username } = connectTarget(facts);
  return `arn:${partitionOf(region)}:rds-db:${region}:${account}:dbuser:${resourceId}/${username}`;
}

/** An IAM user or role. */
export interface Principal {
  readonly kind: 'user' | 'role';
  readonly name: string;
  readonly arn: string;
}

/**
 * Pure. For a role's session, returns the role; the session's ARN lacks the role's path, so `arn` is that of a role without
 * one. Undefined if there are no policies to simulate: for the root user and federated users.
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
  /** Whether the organization's policies, or the boundary, allow it. */
  readonly byOrganization: boolean;
  readonly byBoundary: boolean;
}

/** Never rejects. */
export async function simulateConnect(facts: Facts): Promise<Pick<Facts, 'decision'>> {
  const caller = callerOf(facts);
  if ('error' in caller) return { decision: caller };
  const who = answerOf(facts.identity);
  if (!who) return { decision: unanswered('AWS did not say whose the credentials are') };
  if (!databaseOf(facts)) {
    return { decision: unanswered('the resource id of the database, which a policy names, is not known') };
  }
  const principal = principalOf(who);
  if (!principal) return { decision: unanswered(`the policies of ${who.arn} cannot be simulated`) };
  return { decision: await simulate(caller, principal, connectArn(facts)) };
}

async function simulate(caller: AwsCaller, principal: Principal, arn: string): Promise<Asked<Decision>> {
  const { IAM } = await import('@aws-sdk/client-iam');
  // IAM is one service per partition; in the `aws` partition it is in us-east-1.
  const region = partitionOf(caller.region) === 'aws' ? 'us-east-1' : caller.region;
  const iam = new IAM(clientSettings({ ...caller, region }));
  const ask = (PolicySourceArn: string) =>
    askAws(caller, 'iam:SimulatePrincipalPolicy', async (options): Promise<Decision | undefined> => {
      const question = { PolicySourceArn, ActionNames: ['rds-db:connect'], ResourceArns: [arn] };
      const [found] = (await iam.simulatePrincipalPolicy(question, options)).EvaluationResults ?? [];
      if (found?.EvalDecision === undefined) return undefined;
      return {
        decision: found.EvalDecision,
        policies: (found.MatchedStatements ?? []).flatMap(({ SourcePolicyId }) => SourcePolicyId ?? []),
        byOrganization: found.OrganizationsDecisionDetail?.AllowedByOrganizations ?? true,
        byBoundary: found.PermissionsBoundaryDecisionDetail?.AllowedByPermissionsBoundary ?? true,
      };
    });
  try {
    const asked = await ask(principal.arn);
    const isUnknown = 'error' in asked && awsCodeOf(asked).startsWith('NoSuchEntity');
    if (!isUnknown || principal.kind === 'user') return asked;
    // The session's ARN lacks the role's path.
    const role = await askAws(caller, 'iam:GetRole', async (options) => {
      return (await iam.getRole({ RoleName: principal.name }, options)).Role?.Arn;
    });
    return 'answer' in role ? await ask(role.answer) : role;
  } finally {
    iam.destroy();
  }
}

/** Pure. */
export function judgePolicy(facts: Facts): Step {
  if ('error' in facts.decision) return notChecked('policy', facts.decision.error.message);
  const { decision, policies, byOrganization, byBoundary } = facts.decision.answer;
  const who = describePrincipal(callingPrincipal(facts));
  const arn = connectArn(facts);
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
    const fix = [{ do: `remove the Deny from that policy${by}` }];
    return failed('policy', seen, [{ diagnosis: 'denied-by-policy', why, fix }]);
  }
  return failed('policy', seen, [missingPolicy(facts)]);
}

/** How to fix a missing policy, with everything that is known filled in. Pure. */
export function missingPolicy(facts: Facts): Cause {
  const { region, account, resourceId, username } = connectTarget(facts);
  const principal = callingPrincipal(facts);
  const put = principal
    ? `aws iam put-${principal.kind}-policy --${principal.kind}-name ${shellWord(principal.name)}`
    : 'aws iam put-role-policy --role-name ROLE';
  return {
    diagnosis: 'missing-policy',
    why: `no policy of ${describePrincipal(principal)} allows rds-db:connect on ${connectArn(facts)}`,
    fix: [
      {
        shell: `rds-iam policy --account-id ${shellWord(account)} --region ${shellWord(region)} --resource-id ${shellWord(resourceId)} --username ${shellWord(username)} > rds-iam-policy.json`,
      },
      { shell: `${put} --policy-name rds-iam --policy-document file://rds-iam-policy.json` },
    ],
  };
}

function callingPrincipal({ identity }: Facts): Principal | undefined {
  const who = answerOf(identity);
  return who && principalOf(who);
}

const describePrincipal = (principal: Principal | undefined) =>
  principal ? `the ${principal.kind} "${principal.name}"` : 'these credentials';
