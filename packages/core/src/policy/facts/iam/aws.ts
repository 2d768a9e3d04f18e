import type { JsonObject, JsonValue } from '@countersign/contracts';
import { z } from 'zod';
import { isObject, member, objectFrom, objectsIn, textsIn } from '../documents.js';
import { computed, inputPath, sorted, textsAt, Unreadable } from '../inputs.js';
import { factKind } from '../kinds.js';
import { matchesPattern } from './pattern.js';

const MAX_STATEMENTS = 500;
const MAX_PATTERNS = 5_000;

/**
 * Actions by which one comes to more rights than one was given: each lets its holder write policies, take on roles, or run code under another role.
 * From AWS's service authorization reference and published work on privilege escalation.
 */
const ESCALATING = (
  'iam:AddUserToGroup iam:AttachGroupPolicy iam:AttachRolePolicy iam:AttachUserPolicy iam:CreateAccessKey iam:CreateLoginProfile iam:CreatePolicyVersion ' +
  'iam:CreateRole iam:CreateUser iam:DeleteRolePermissionsBoundary iam:DeleteUserPermissionsBoundary iam:PassRole iam:PutGroupPolicy iam:PutRolePermissionsBoundary iam:PutRolePolicy iam:PutUserPermissionsBoundary iam:PutUserPolicy ' +
  'iam:SetDefaultPolicyVersion iam:UpdateAssumeRolePolicy iam:UpdateLoginProfile iam:CreateOpenIDConnectProvider iam:CreateSAMLProvider iam:UpdateSAMLProvider iam:DeactivateMFADevice sts:AssumeRole sts:GetFederationToken ' +
  'lambda:CreateFunction lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration lambda:AddPermission glue:CreateDevEndpoint glue:UpdateDevEndpoint ec2:RunInstances ' +
  'cloudformation:CreateStack cloudformation:UpdateStack datapipeline:PutPipelineDefinition sagemaker:CreateNotebookInstance sagemaker:CreatePresignedNotebookInstanceUrl ' +
  'ssm:SendCommand ssm:StartSession codebuild:CreateProject codebuild:StartBuild ecs:RunTask ecs:RegisterTaskDefinition organizations:LeaveOrganization ' +
  'kms:CreateGrant kms:PutKeyPolicy secretsmanager:PutResourcePolicy s3:PutBucketPolicy s3:PutBucketAcl sso-admin:CreateAccountAssignment sso:CreateAccountAssignment'
)
  .toLowerCase()
  .split(' ');

/** AWS's own policies that give all, or nearly all. */
const ADMIN_POLICIES =
  /^(?:AdministratorAccess|PowerUserAccess|IAMFullAccess|AWSOrganizationsFullAccess|AdministratorAccess-.*|SystemAdministrator|DatabaseAdministrator)$/i;

/** How far an AWS policy goes: `facts.aws_iam`. */
export const awsIam = factKind({
  options: z
    .strictObject({
      /** A policy document, as an object or as the text of JSON. */
      document: inputPath.optional(),
      /** ARNs or names of managed policies that are attached. */
      managed: inputPath.optional(),
    })
    .refine(({ document, managed }) => document !== undefined || managed !== undefined, 'name document, managed, or both'),
  result: {
    members: {
      admin: 'bool',
      escalates: 'bool',
      any_action: 'bool',
      any_resource: 'bool',
      any_principal: 'bool',
      inverted: 'bool',
      conditions: 'bool',
      actions: { list: 'string' },
      services: { list: 'string' },
      service_wildcards: { list: 'string' },
      resources: { list: 'string' },
      principals: { list: 'string' },
      escalating_actions: { list: 'string' },
      managed: { list: 'string' },
    },
  },
  paths: ({ document, managed }) => [document, managed].filter((path) => path !== undefined),
  compute: ({ document, managed }, read) =>
    computed(() => {
      const given = document === undefined ? undefined : read(document);
      const arns = managed === undefined || read(managed) === undefined ? [] : textsAt(read, managed, { count: 50, length: 512 }, 'the policy');
      if (given === undefined && arns.length === 0) throw new Unreadable('there is no policy in it');
      const grants = given === undefined ? [] : grantsOf(objectFrom(given, 'the policy'));
      const names = arns.map(managedName);
      return { value: factsOf(grants, names) };
    }),
});

/** A statement that allows. */
interface Grant {
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly principals: readonly string[];
  readonly inverted: boolean;
  readonly conditions: boolean;
}

const STATEMENT_MEMBERS = new Set(['Sid', 'Effect', 'Action', 'NotAction', 'Resource', 'NotResource', 'Principal', 'NotPrincipal', 'Condition']);

function grantsOf(policy: JsonObject): Grant[] {
  for (const name of Object.keys(policy))
    if (!['Version', 'Id', 'Statement'].includes(name)) throw new Unreadable('the policy has a member that AWS does not know');
  const statements = objectsIn(member(policy, 'Statement'), 'a statement of the policy');
  if (statements.length === 0 || statements.length > MAX_STATEMENTS) throw new Unreadable(`the policy has not 1 to ${MAX_STATEMENTS} statements`);
  let patterns = 0;
  const texts = (statement: JsonObject, name: string): string[] => {
    const list = textsIn(member(statement, name), 'a part of a statement');
    patterns += list.length;
    if (patterns > MAX_PATTERNS || list.some((text) => text.length > 2_048)) throw new Unreadable('the policy is too large to be read');
    return list;
  };
  return statements.flatMap((statement): Grant[] => {
    for (const name of Object.keys(statement))
      if (!STATEMENT_MEMBERS.has(name)) throw new Unreadable('a statement of the policy has a member that AWS does not know');
    const effect = member(statement, 'Effect');
    if (effect !== 'Allow' && effect !== 'Deny') throw new Unreadable('a statement of the policy neither allows nor denies');
    const [action, notAction] = [texts(statement, 'Action'), texts(statement, 'NotAction')];
    const [resource, notResource] = [texts(statement, 'Resource'), texts(statement, 'NotResource')];
    const principals = principalsOf(member(statement, 'Principal'));
    const notPrincipal = member(statement, 'NotPrincipal') !== undefined;
    if (action.length + notAction.length === 0) throw new Unreadable('a statement of the policy names no action');
    const conditions = member(statement, 'Condition');
    if (conditions !== undefined && !isObject(conditions)) throw new Unreadable('the conditions of a statement are no object');
    // What is denied narrows the rest, and is no reason to think a policy wider than it is.
    if (effect === 'Deny') return [];
    return [
      {
        actions: notAction.length > 0 ? ['*'] : action.map((each) => each.toLowerCase()),
        // A role's trust policy names no resource: it speaks of the role itself.
        resources: notResource.length > 0 ? ['*'] : resource,
        principals: notPrincipal ? ['*'] : principals,
        inverted: notAction.length > 0 || notResource.length > 0 || notPrincipal,
        conditions: conditions !== undefined && holds(conditions),
      },
    ];
  });
}

/**
 * Whether conditions can keep anybody out, as far as that can be seen: operators that hold where the key is absent (…IfExists, ForAllValues, Null) and
 * values that match everything do not. Operators and keys are joined by AND, so one that holds is enough; values by OR, so all of them must.
 */
function holds(conditions: JsonObject): boolean {
  return Object.entries(conditions).some(([operator, keys]) => {
    if (!isObject(keys)) throw new Unreadable('a condition of a statement is no object');
    if (/IfExists$|^ForAllValues:|^Null$|Not/i.test(operator)) return false;
    return Object.values(keys).some((values) => {
      const list = Array.isArray(values) ? values : [values];
      return list.length > 0 && list.every((value) => typeof value !== 'string' || !/^[*?]*$|^(?:0\.0\.0\.0|::)\/0$/.test(value));
    });
  });
}

function principalsOf(value: JsonValue | undefined): string[] {
  if (value === undefined) return [];
  if (typeof value === 'string') return [value];
  if (!isObject(value)) throw new Unreadable('the principal of a statement is neither text nor object');
  return Object.values(value).flatMap((each) => textsIn(each, 'a principal of a statement'));
}

function factsOf(grants: readonly Grant[], managed: readonly string[]): JsonObject {
  const actions = grants.flatMap((grant) => grant.actions);
  const covers = (patterns: readonly string[], action: string): boolean => patterns.some((pattern) => matchesPattern(pattern, action));
  const isAny = (pattern: string): boolean => /^[*?:]*\*[*?:]*$/.test(pattern);
  const escalating = ESCALATING.filter((action) => covers(actions, action));
  const services = actions.map((action) => (action.includes(':') ? action.slice(0, action.indexOf(':')) : '*'));
  const adminPolicy = managed.some((name) => ADMIN_POLICIES.test(name));
  const anyAction = actions.some((action) => isAny(action) || /^\*+:/.test(action));
  return {
    admin:
      adminPolicy ||
      anyAction ||
      grants.some(
        (grant) =>
          grant.resources.some(isAnyResource) && grant.actions.some((action) => /^(?:iam|sts|organizations):\*+$/.test(action) || covers([action], 'iam:a-z0')),
      ),
    escalates: adminPolicy || escalating.length > 0,
    any_action: anyAction,
    any_resource: grants.some((grant) => grant.resources.some(isAnyResource)),
    any_principal: grants.some(({ principals }) => principals.some((principal) => principal.includes('*'))),
    inverted: grants.some(({ inverted }) => inverted),
    conditions: grants.length > 0 && grants.every(({ conditions }) => conditions),
    actions: sorted(actions),
    services: sorted(services),
    service_wildcards: sorted(
      actions
        .filter((action) => /^[^:]+:\*+$/.test(action) || isAny(action))
        .map((action) => (action.includes(':') ? action.slice(0, action.indexOf(':')) : '*')),
    ),
    resources: sorted(grants.flatMap(({ resources }) => resources)),
    principals: sorted(grants.flatMap(({ principals }) => principals)),
    escalating_actions: escalating,
    managed: sorted(managed),
  };
}

/** `*`, and ARNs in which the resource itself is open: `arn:aws:s3:::*`, `arn:aws:iam::1:role/*`; but `arn:aws:s3:::reports/*` is one bucket. */
function isAnyResource(resource: string): boolean {
  const parts = resource.split(':');
  if (parts[0] !== 'arn') return /^[*?]*\*[*?]*$/.test(resource);
  const open = parts[2] === 's3' ? /^[*?/]*\*[*?/]*$/ : /^(?:[a-z-]+[/:])?[*?]*\*[*?]*$/;
  return parts.length < 6 || open.test(parts.slice(5).join(':'));
}

function managedName(arn: string): string {
  if (!/^[\w+=,.@:/-]+$/.test(arn)) throw new Unreadable('the name of a managed policy is none');
  return arn.slice(arn.lastIndexOf('/') + 1);
}
