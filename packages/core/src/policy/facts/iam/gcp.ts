import type { JsonObject, JsonValue } from '@countersign/contracts';
import { z } from 'zod';
import { isObject, member, objectFrom, objectsIn, textsIn } from '../documents.js';
import { computed, inputPath, sorted, textsAt, Unreadable } from '../inputs.js';
import { factKind } from '../kinds.js';

const MAX_BINDINGS = 1_500;

/** Roles that give rights to give rights, to act as others, or nearly everything. */
const ESCALATING =
  /^roles\/(?:owner|editor|.*\.admin|iam\.(?:securityAdmin|roleAdmin|organizationRoleAdmin|serviceAccount(?:Admin|KeyAdmin|TokenCreator|User|OpenIdTokenCreator)|workloadIdentity(?:User|PoolAdmin)|workforcePoolAdmin|denyAdmin)|resourcemanager\..*(?:Admin|Editor|Creator|Mover|IamAdmin)|orgpolicy\.policyAdmin|deploymentmanager\.editor|cloudbuild\.builds\.(?:editor|builder)|cloudfunctions\.developer|run\.developer|compute\.(?:instanceAdmin.*|osAdminLogin)|composer\.worker|dataflow\.developer|dataproc\.editor|secretmanager\.secretAccessor|cloudkms\..*(?:Decrypter.*|admin)|container\.(?:clusterAdmin|developer)|billing\.(?:admin|projectManager))$/;

/** How far grants of GCP roles go: `facts.gcp_iam`. */
export const gcpIam = factKind({
  options: z
    .strictObject({
      /** An IAM policy (`{bindings: [{role, members}]}`), as an object or as the text of JSON. */
      policy: inputPath.optional(),
      /** One role or a list of them, and who gets it. */
      role: inputPath.optional(),
      members: inputPath.optional(),
    })
    .refine(
      ({ policy, role, members }) => (policy === undefined) === (role !== undefined) && (role === undefined) === (members === undefined),
      'name policy, or role and members',
    ),
  result: {
    members: {
      roles: { list: 'string' },
      members: { list: 'string' },
      basic: 'bool',
      admin: 'bool',
      escalates: 'bool',
      custom: 'bool',
      public: 'bool',
      service_accounts: 'bool',
      domains: { list: 'string' },
      conditions: 'bool',
    },
  },
  paths: ({ policy, role, members }) => [policy, role, members].filter((path) => path !== undefined),
  compute: (options, read) =>
    computed(() => {
      const limits = { count: MAX_BINDINGS, length: 512 };
      const bindings =
        options.policy !== undefined
          ? bindingsOf(objectFrom(read(options.policy), 'the policy'))
          : [
              {
                roles: textsAt(read, options.role ?? '', limits, 'the role'),
                members: textsAt(read, options.members ?? '', limits, 'a member'),
                conditional: false,
              },
            ];
      return { value: factsOf(bindings) };
    }),
});

interface Binding {
  readonly roles: readonly string[];
  readonly members: readonly string[];
  readonly conditional: boolean;
}

function bindingsOf(policy: JsonObject): Binding[] {
  const bindings = objectsIn(member(policy, 'bindings'), 'a binding of the policy');
  if (bindings.length > MAX_BINDINGS) throw new Unreadable('the policy has too many bindings');
  return bindings.map((binding) => ({
    roles: textsIn(member(binding, 'role'), 'a role'),
    members: textsIn(member(binding, 'members'), 'a member'),
    conditional: holds(member(binding, 'condition')),
  }));
}

/** A condition that is always true is none. */
function holds(condition: JsonValue | undefined): boolean {
  if (condition === undefined || condition === null) return false;
  const expression = isObject(condition) ? member(condition, 'expression') : undefined;
  if (typeof expression !== 'string') throw new Unreadable('the condition of a binding has no expression');
  return !/^[\s()]*(?:true)?[\s()]*$|\|\|\s*\(*\s*true\b|\btrue\s*\)*\s*\|\|/.test(expression);
}

function factsOf(bindings: readonly Binding[]): JsonObject {
  const roles = bindings.flatMap((binding) => binding.roles);
  const members = bindings.flatMap((binding) => binding.members).map(readMember);
  if (roles.length === 0 || members.length === 0) throw new Unreadable('there is no role or no member in it');
  const isRole = (role: string): boolean => /^(?:roles|(?:projects|organizations)\/[^/]+\/roles)\/[A-Za-z0-9_.]+$/.test(role);
  if (!roles.every(isRole)) throw new Unreadable('a role in it is not written as GCP writes roles');
  const basic = roles.some((role) => /^roles\/(?:owner|editor|viewer|browser)$/.test(role));
  return {
    roles: sorted(roles),
    members: sorted(members.map(({ text }) => text)),
    basic,
    admin: roles.some((role) => /^roles\/(?:owner|editor)$|[aA]dmin$/.test(role)),
    escalates: roles.some((role) => ESCALATING.test(role) || !role.startsWith('roles/')),
    // What a custom role gives does not stand in its name.
    custom: roles.some((role) => !role.startsWith('roles/')),
    public: members.some(({ kind }) => kind === 'allusers' || kind === 'allauthenticatedusers'),
    service_accounts: members.some(({ kind, domain }) => kind === 'serviceaccount' || domain.endsWith('gserviceaccount.com')),
    domains: sorted(members.flatMap(({ domain }) => (domain === '' ? [] : [domain]))),
    conditions: bindings.every(({ conditional }) => conditional),
  };
}

/** `user:ana@example.com`, `domain:example.com`, `allUsers`, `principalSet://…`. */
function readMember(text: string): { text: string; kind: string; domain: string } {
  if (/[\s\u0000-\u001f]/.test(text)) throw new Unreadable('a member in it has blanks');
  const [, kind = '', id = ''] = /^([A-Za-z]+)(?::(.*))?$/s.exec(text) ?? [];
  if (kind === '') throw new Unreadable('a member in it is not written as GCP writes members');
  const lower = kind.toLowerCase();
  const domain = lower === 'domain' ? id : id.includes('@') ? id.slice(id.lastIndexOf('@') + 1) : '';
  return { text, kind: lower, domain: domain.toLowerCase() };
}
