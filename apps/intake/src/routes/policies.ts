import {
  activatedPolicySchema,
  type PolicyActivation,
  policyActivateBodySchema,
  policyHistorySchema,
  policyListSchema,
  policyComparisonSchema,
  policyQuerySchema,
  policyReplayBodySchema,
  policySchema,
  policyStatusSchema,
  policyUploadSchema,
} from '@countersign/contracts';
import {
  activatePolicy,
  type ActivateOutcome,
  activationView,
  comparePolicies,
  configChangeView,
  type PolicyControlDeps,
  storePolicy,
} from '@countersign/core/flow';
import { type CompiledBundle, compileBundle, compileCanonical, loadFactParsers, type PolicyProblem } from '@countersign/core/policy';
import type { AuthenticatedPerson } from '@countersign/identity';
import { configChangeDeps, type IntakeDeps } from '../deps.js';
import { type Answer, type Route, route } from '../http/route.js';
import { notFound, trouble, type Trouble } from '../problems.js';
import { activePolicySchema } from '../schemas.js';
import { administers, seesAll } from '../visibility.js';

const digestParameter = { digest: 'The digest of a bundle, sha256:…' };
/** Bundles are larger than requests. */
const UPLOAD_BYTES = 4 * 1024 * 1024;

/** Which policy is in force, and how another comes to be. */
export function policyRoutes(deps: IntakeDeps): Route[] {
  const { policies, flow, control } = deps;
  const world: PolicyControlDeps = { ...configChangeDeps(deps), bundles: policies };

  return [
    route({
      method: 'get',
      path: '/v1/policies/active',
      name: 'activePolicy',
      tag: 'Policy',
      summary: 'Which policy bundle is in force, since when, and who put it there',
      who: 'either',
      answers: { 200: { description: 'The bundle in force', schema: activePolicySchema } },
      async handle({ reader }) {
        const active = await policies.active(reader.tenant);
        if (active === null) return notFound('No policy is in force.');
        return { status: 200, json: { policy_digest: active.digest, activated_at: active.activated_at, activated_by: active.by } };
      },
    }),

    route({
      method: 'get',
      path: '/v1/policies',
      name: 'listPolicies',
      tag: 'Policy',
      summary: 'The bundles that are stored, and which of them is in force',
      who: 'person',
      query: policyQuerySchema,
      answers: { 200: { description: 'Newest first', schema: policyListSchema } },
      problems: ['forbidden'],
      async handle({ reader, query: { limit } }) {
        if (!seesAll(reader.person)) return notForYou();
        const active = await policies.active(reader.tenant);
        const found = await policies.list(reader.tenant, limit);
        return { status: 200, json: { data: found.map((stored) => shortView(stored, active?.digest ?? null)), next_cursor: null } };
      },
    }),

    route({
      method: 'get',
      path: '/v1/policies/history',
      name: 'policyHistory',
      tag: 'Policy',
      summary: 'Which bundle was in force from when on, by whom and from where',
      who: 'person',
      query: policyQuerySchema,
      answers: { 200: { description: 'Newest first', schema: policyHistorySchema } },
      problems: ['forbidden'],
      async handle({ reader, query: { limit } }) {
        if (!seesAll(reader.person)) return notForYou();
        return { status: 200, json: { data: await historyOf(reader.tenant, limit), next_cursor: null } };
      },
    }),

    route({
      method: 'get',
      path: '/v1/policies/status',
      name: 'policyStatus',
      tag: 'Policy',
      summary: 'What is in force, and how the last look at each source went: what could not be used, and why',
      who: 'person',
      answers: { 200: { description: 'As of now', schema: policyStatusSchema } },
      problems: ['forbidden'],
      async handle({ reader }) {
        if (!seesAll(reader.person)) return notForYou();
        return { status: 200, json: await statusOf(reader.tenant) };
      },
    }),

    route({
      method: 'post',
      path: '/v1/policies',
      name: 'storePolicy',
      tag: 'Policy',
      summary: 'Check a bundle and store it by its digest. It is not in force until it is activated',
      who: 'person',
      changes: true,
      body_limit_bytes: UPLOAD_BYTES,
      body: policyUploadSchema,
      answers: { 201: { description: 'Stored', schema: policySchema, headers: { Location: 'Where to read it' } } },
      problems: ['forbidden', 'policy_invalid'],
      async handle({ reader, body }) {
        if (!administers(reader)) return notAdministrator();
        const { id, email, name } = reader.person;
        const stored = await storePolicy(world, { tenant: reader.tenant, who: id, details: { by: { id, email, name } } }, body.files);
        if (stored.kind === 'invalid') return invalid(stored.problems);
        const { digest } = stored.bundle;
        return { status: 201, json: await fullView(reader.tenant, digest), headers: { Location: `${flow.publicUrl}/v1/policies/${digest}` } };
      },
    }),

    route({
      method: 'post',
      path: '/v1/policies/replay',
      name: 'replayPolicy',
      tag: 'Policy',
      summary: 'What a draft would have made of the requests of the last days, beside the policy in force. Nothing is stored',
      who: 'person',
      body_limit_bytes: UPLOAD_BYTES,
      body: policyReplayBodySchema,
      answers: { 200: { description: 'How many requests would have come out otherwise, with a few of each kind', schema: policyComparisonSchema } },
      problems: ['forbidden', 'policy_invalid'],
      async handle({ reader, body: { files, days, requests } }) {
        if (!seesAll(reader.person)) return notForYou();
        const active = await policies.active(reader.tenant);
        if (active === null) return notFound('No policy is in force.');
        await loadFactParsers();
        const draft = compileBundle(files);
        if (!draft.ok) return invalid(draft.problems);
        const current = await flow.policies.bundle(reader.tenant, active.digest);
        return { status: 200, json: await comparePolicies(flow, reader.tenant, current, draft.bundle, { seconds: days * 86_400, requests }) };
      },
    }),

    route({
      method: 'post',
      path: '/v1/policies/rollback',
      name: 'rollbackPolicy',
      tag: 'Policy',
      summary: 'Put the bundle before the one in force in force again, by the same rules as activating it',
      who: 'person',
      changes: true,
      body: policyActivateBodySchema,
      answers: activateAnswers,
      problems: ['forbidden', 'policy_changed', 'frozen'],
      async handle({ reader, body: { reason } }) {
        if (!administers(reader)) return notAdministrator();
        const [latest] = await policies.history(reader.tenant, 1);
        if (latest?.previous == null) return notFound('There was no other policy before the one in force.');
        return activateAnswer(reader, latest.previous, { how: 'rollback', ...(reason === undefined ? {} : { reason }) });
      },
    }),

    route({
      method: 'post',
      path: '/v1/policies/sync',
      name: 'syncPolicies',
      tag: 'Policy',
      summary: 'Look at the configured source of policy now',
      who: 'person',
      changes: true,
      answers: { 200: { description: 'What is in force after it', schema: policyStatusSchema } },
      problems: ['forbidden'],
      async handle({ reader }) {
        if (!administers(reader)) return notAdministrator();
        if (control.syncPolicy === undefined) return notFound('This process has no source of policy: COUNTERSIGN_POLICY is not set.');
        await control.syncPolicy();
        return { status: 200, json: await statusOf(reader.tenant) };
      },
    }),

    route({
      method: 'get',
      path: '/v1/policies/:digest',
      name: 'getPolicy',
      tag: 'Policy',
      summary: 'One bundle: its canonical text, digest and rules',
      who: 'person',
      parameters: digestParameter,
      answers: { 200: { description: 'The bundle', schema: policySchema } },
      problems: ['forbidden'],
      async handle({ reader, params: { digest = '' } }) {
        if (!seesAll(reader.person)) return notForYou();
        const view = await fullView(reader.tenant, digest);
        return view === null ? notFound() : { status: 200, json: view };
      },
    }),

    route({
      method: 'post',
      path: '/v1/policies/:digest/activate',
      name: 'activatePolicy',
      tag: 'Policy',
      summary: 'Put a stored bundle in force, in all processes at once. What may loosen waits for the approval of the owner of the policy in force',
      who: 'person',
      changes: true,
      parameters: digestParameter,
      body: policyActivateBodySchema,
      answers: activateAnswers,
      problems: ['forbidden', 'policy_changed', 'frozen'],
      async handle({ reader, params: { digest = '' }, body: { reason } }) {
        if (!administers(reader)) return notAdministrator();
        return activateAnswer(reader, digest, { how: 'api', ...(reason === undefined ? {} : { reason }) });
      },
    }),
  ];

  async function activateAnswer(reader: AuthenticatedPerson, digest: string, target: { how: 'api' | 'rollback'; reason?: string }): Promise<Answer> {
    const { tenant, person, authenticated } = reader;
    return answerOf(await activatePolicy(world, { tenant, person, authenticated }, { digest, ...target }), digest);
  }

  function answerOf(outcome: ActivateOutcome, policy_digest: string): Answer {
    switch (outcome.kind) {
      case 'activated':
        return { status: 200, json: { policy_digest, previous: outcome.previous, in_force: true, comparison: outcome.comparison, change: null } };
      case 'unchanged':
        return { status: 200, json: { policy_digest, previous: policy_digest, in_force: true, comparison: null, change: null } };
      case 'proposed': {
        const change = configChangeView(outcome.change, flow.publicUrl);
        const headers = { Location: `${flow.publicUrl}/v1/config-changes/${change.id}` };
        return { status: 202, json: { policy_digest, previous: outcome.previous, in_force: false, comparison: outcome.comparison, change }, headers };
      }
      case 'unknown':
        return notFound('There is no such bundle. Store it first: POST /v1/policies.');
      case 'conflict':
        return trouble('policy_changed', 'Another policy was put in force meanwhile. Look at it, and try again.');
      case 'frozen':
        return trouble('frozen', outcome.text);
    }
  }

  async function historyOf(tenant: string, limit: number): Promise<PolicyActivation[]> {
    const [found, active] = await Promise.all([policies.history(tenant, limit), policies.active(tenant)]);
    return found.map((record, index) => activationView(record, active?.digest ?? null, index === 0));
  }

  async function statusOf(tenant: string): Promise<object> {
    const [in_force = null] = await historyOf(tenant, 1);
    const looks = await policies.looks(tenant);
    return {
      in_force,
      sources: looks.map(({ digest, ...look }) => ({ ...look, policy_digest: digest, in_force: digest !== null && digest === in_force?.policy_digest })),
    };
  }

  async function fullView(tenant: string, digest: string): Promise<object | null> {
    const stored = await policies.one(tenant, digest);
    if (stored === null) return null;
    const active = await policies.active(tenant);
    const { rules } = compiled(stored.canonical);
    return {
      ...shortView(stored, active?.digest ?? null),
      canonical: stored.canonical,
      rules: rules.map(({ id, effect, actions }) => ({ id, effect, actions: [...actions] })),
    };
  }
}

const activateAnswers = {
  200: { description: 'In force', schema: activatedPolicySchema },
  202: { description: 'It may loosen: it waits for approval', schema: activatedPolicySchema, headers: { Location: 'Where to read what becomes of it' } },
};

function shortView(stored: { digest: string; canonical: string; stored_at: string }, active: string | null): object {
  const { name, version, owner } = compiled(stored.canonical);
  return { policy_digest: stored.digest, name, version, owner: owner ?? null, stored_at: stored.stored_at, in_force: stored.digest === active };
}

function compiled(canonical: string): CompiledBundle {
  const result = compileCanonical(canonical);
  if (!result.ok) throw new Error('A stored policy does not compile.');
  return result.bundle;
}

/** Every problem with its file, line and column. */
function invalid(problems: readonly PolicyProblem[]): Trouble {
  const errors = problems.map(({ file, line, column, message, hint }) => ({
    pointer: `/files/${file}`,
    detail: `${file}:${line}:${column}: ${message}${hint === undefined ? '' : ` (${hint})`}`,
  }));
  return { ...trouble('policy_invalid', `The bundle cannot be used: ${errors[0]?.detail ?? ''}`, { errors }), problems: [...problems] };
}

const notAdministrator = (): Trouble =>
  trouble('forbidden', 'Policies are changed by administrators, by a session or a personal token with the scope "admin".');
const notForYou = (): Trouble => trouble('forbidden', 'Policies are for administrators and auditors to read.');
