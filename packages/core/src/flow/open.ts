import {
  CONFIG_ACTION_PREFIX,
  type ActionRequest,
  type EvaluationView,
  type JsonObject,
  type JsonValue,
  type RequesterView,
  type Submission,
} from '@countersign/contracts';
import { agentProblem, agentWarnings, chainOf, refusals } from '../decision/index.js';
import { type MaskResult, maskValue } from '../masking/index.js';
import { answerOf, openedCallback } from '../outcome/index.js';
import type { CompiledBundle, Evaluation, ExplanationPart, PolicyInput } from '../policy/index.js';
import type {
  AboutRequest,
  ActionRequestRecord,
  Caller,
  CallbackTarget,
  MaskedSubmission,
  OpenCommit,
  OpeningContext,
  RequestState,
  SealContext,
} from '../ports.js';
import {
  addSeconds,
  canonicalJson,
  checkRights,
  coversHost,
  type Digest,
  digestOf,
  fromUtf8,
  type Instant,
  newId,
  pointerTokens,
  requestDigest,
  utf8,
} from '../request/index.js';
import { CoreError } from '../errors.js';
import { callbackPlan, deliveryOf } from './callbacks.js';
import { type FlowDeps, MAX_PLANS } from './deps.js';
import { outlineDigestOf } from './explain.js';
import { liveGrant } from './grant.js';
import { fittingPattern, patternText } from './patterns.js';
import { leafMaker, newRecordKey, type OpenPayload, sealPayload } from './record-key.js';
import { nothingYet, timersOf } from './timers.js';
import { announceSettled, digestOfAction, settlementParts, type Settlement, useUntil } from './settle.js';

export interface OpenInput {
  caller: Caller;
  submission: Submission;
  idempotency_key: string;
  /** SHA-256 over the canonical body: the same key with another body is refused. */
  fingerprint: Digest;
}

export type OpenOutcome =
  | { kind: 'opened'; answer: ActionRequest }
  | { kind: 'replayed'; answer: ActionRequest }
  | { kind: 'in_progress' }
  | { kind: 'key_reused' }
  | { kind: 'key_inactive' }
  | { kind: 'frozen'; text: string }
  | NotAllowed;
/** The request names something that it may not name. */
export interface NotAllowed {
  kind: 'not_allowed';
  code: NotAllowedCode;
  pointer: string;
  text: string;
}
export type NotAllowedCode = 'actor_not_allowed' | 'action_not_allowed' | 'environment_mismatch' | 'callback_not_allowed' | 'endpoint_unknown';

/**
 * Opens an action request: checks what the caller may name, evaluates policy on the unmasked request, masks, and commits
 * state, work and ledger leaves at once. What policy allows or denies is settled in the same commit (A3).
 */
export async function open(deps: FlowDeps, input: OpenInput): Promise<OpenOutcome> {
  const { caller, submission } = input;
  const rights = checkRights(submission, caller);
  if ('code' in rights) return { kind: 'not_allowed', ...rights };
  if (submission.action.toLowerCase().startsWith(CONFIG_ACTION_PREFIX)) {
    return {
      kind: 'not_allowed',
      code: 'action_not_allowed',
      pointer: '/action',
      text: `Actions that begin with ${CONFIG_ACTION_PREFIX} are Countersign's own.`,
    };
  }
  if (submission.callback !== undefined && 'url' in submission.callback) {
    const checked = deps.checkCallback(submission.callback.url);
    if (!checked.ok) return { kind: 'not_allowed', code: 'callback_not_allowed', pointer: '/callback/url', text: checked.reason };
  }
  const endpoint = await endpointProblem(deps, caller, submission);
  if (endpoint !== null) return endpoint;
  const refs = [
    submission.actor.on_behalf_of?.id,
    submission.actor.type === 'person' ? submission.actor.id : undefined,
    caller.owner,
    caller.human ?? undefined,
  ];
  const chain_key = chainKeyOf(caller, submission);
  /** What was found while committing, and has to be planned with. */
  const met: Met = { exceeded: [] };
  for (let plans = 0; plans < MAX_PLANS; plans++) {
    const context = await deps.requests.openingContext({
      tenant: caller.tenant,
      agent_id: submission.actor.id,
      refs: refs.filter((ref) => ref !== undefined),
      ...(chain_key === null ? {} : { chain_key }),
    });
    const bundle = await deps.policies.bundle(caller.tenant, context.active_policy);
    const plan = await planOpen(deps, input, rights.environment, context, bundle, { ...met, chain_key });
    if (plan.kind === 'not_allowed') return plan;
    const result = await deps.requests.open(plan.commit);
    switch (result.kind) {
      case 'committed':
        deps.announcer.announce('cards');
        if (plan.state.request.status !== 'pending') announceSettled(deps);
        else if (plan.commit.deliveries?.length) deps.announcer.announce('deliveries');
        deps.announcer.announce('decisions');
        return { kind: 'opened', answer: answerOf(plan.state, { publicUrl: deps.publicUrl, grant: await liveGrant(deps, plan.state) }) };
      case 'replay':
        if (result.fingerprint !== input.fingerprint) return { kind: 'key_reused' };
        return { kind: 'replayed', answer: await storedAnswer(deps, caller, result.request_id, result.sealed_answer) };
      case 'in_progress':
      case 'key_inactive':
        return { kind: result.kind };
      case 'frozen':
        return { kind: 'frozen', text: refusals.frozen(result.freeze).text };
      case 'limits':
        met.exceeded = [...new Set([...met.exceeded, ...result.rules])].toSorted();
        continue;
      case 'pattern_over':
      case 'policy_changed':
        continue;
    }
  }
  throw new CoreError('contention', `Policy changed ${MAX_PLANS} times while a request was being opened.`);
}

/** A registered endpoint must exist, and the key may name it by its host, as it may name a bare URL. */
async function endpointProblem(deps: FlowDeps, caller: Caller, { callback }: Submission): Promise<NotAllowed | null> {
  if (callback === undefined || !('endpoint_id' in callback)) return null;
  const pointer = '/callback/endpoint_id';
  const { url } = await deps.requests.subscription({ tenant: caller.tenant, endpoint_id: callback.endpoint_id, request_id: '' });
  if (url === null) return { kind: 'not_allowed', code: 'endpoint_unknown', pointer, text: 'There is no such endpoint.' };
  if (coversHost(caller.rights.callback_hosts, url)) return null;
  return { kind: 'not_allowed', code: 'callback_not_allowed', pointer, text: `The API key "${caller.name}" may not name this callback host.` };
}

type Plan = { kind: 'planned'; commit: OpenCommit; state: RequestState } | NotAllowed;

/** What earlier plans of the same request met: rules whose limits are used up. */
interface Met {
  exceeded: string[];
}

/** The chain of actions that a caller says the request belongs to: of this caller alone, and nothing that tells its name. */
export function chainKeyOf(caller: Caller, { context }: Submission): string | null {
  const chain = context?.['chain_id'];
  return typeof chain === 'string' && chain !== '' ? digestOf({ caller: caller.key_id, chain }) : null;
}

async function planOpen(
  deps: FlowDeps,
  input: OpenInput,
  environment: string | undefined,
  context: OpeningContext,
  bundle: CompiledBundle,
  met: Met & { chain_key: string | null },
): Promise<Plan> {
  const { caller, submission } = input;
  const { tenant } = caller;
  const at = deps.clock.now();
  const id = newId('ar', at, deps.entropy.bytes(10));
  const recordKey = newRecordKey(deps.entropy);
  const refused = agentProblem(submission, context.agent);
  if (refused !== null) return { kind: 'not_allowed', ...refused };
  const requester = requesterOf(caller);
  const circumstances = {
    ...(context.chain === undefined ? {} : { chain: { reversibility: context.chain } }),
    ...(met.exceeded.length === 0 ? {} : { exceeded: met.exceeded }),
  };
  const evaluation = bundle.evaluate({ ...policyInput(submission, environment, at, requester), ...circumstances });
  const mismatch = environmentMismatch(evaluation);
  if (mismatch !== null) return mismatch;
  // A key of its own: the record's is told in receipts, and would let guesses at masked values be tried.
  const shown = maskSubmission(submission, evaluation, deps.entropy.bytes(32));
  const judged = tighten(evaluation, shown, bundle);
  const explanation = joinExplanation(judged.evaluation.explanation, shown.view);
  const evaluationView: EvaluationView = {
    effect: judged.evaluation.effect,
    rules: judged.evaluation.rules,
    policy_digest: bundle.digest,
    explanation,
  };
  const chain = chainOf(submission, caller, context, bundle.defaults.chain);
  const { requirement, resolved } = judged.evaluation;
  const asked = { submission, environment: resolved.environment, requester, chain };
  const pattern = requirement === null ? null : await fittingPattern(deps, tenant, { ...asked, requirement });
  const timeout = Math.min(
    submission.timeout_seconds ?? Number.POSITIVE_INFINITY,
    requirement?.timeout_seconds ?? bundle.defaults.timeout_seconds ?? deps.defaultTimeoutSeconds,
  );
  const expires_at = addSeconds(at, timeout);
  const action_digest = digestOfAction(submission);
  const grant_audience = submission.grant_audience ?? deps.publicUrl;
  const payload: OpenPayload = { recordKey, submission, ...(Object.keys(circumstances).length === 0 ? {} : { circumstances }) };
  const use = pattern === null || requirement === null ? bundle.defaults : requirement;
  const status =
    judged.evaluation.effect === 'deny'
      ? ('denied' as const)
      : judged.evaluation.effect === 'allow' || pattern !== null
        ? ('approved' as const)
        : ('pending' as const);
  const request: ActionRequestRecord = {
    tenant,
    id,
    status,
    version: 1,
    created_at: at,
    expires_at,
    settled_at: status === 'pending' ? null : at,
    use_until: status === 'approved' ? useUntil(at, use) : null,
    redeemed_at: null,
    redeemed_by: null,
    action_digest,
    request_digest: requestDigest({
      id,
      action_digest,
      resolved,
      tenant,
      requester,
      chain,
      ...(submission.reason === undefined ? {} : { reason: submission.reason }),
      ...(submission.context === undefined ? {} : { context: submission.context }),
      ...(requirement === null ? {} : { requirement }),
      policy_digest: bundle.digest,
      grant_audience,
      expires_at,
    }),
    view_digest: digestOf({ view: shown.view, resolved, evaluation: evaluationView, requirement, masked: shown.result.report }),
    warnings: [...judged.warnings, ...agentWarnings(context.agent)],
    requester,
    chain,
    view: shown.view,
    masked: shown.result.report,
    resolved,
    about: aboutOf(bundle, judged.evaluation),
    evaluation: evaluationView,
    requirement,
    policy_digest: bundle.digest,
    callback: callbackTarget(submission),
    ...(pattern === null
      ? {}
      : {
          pattern: { id: pattern.id, action_request: pattern.request_id, approved_by: pattern.document.approved_by, use: pattern.used + 1, uses: pattern.uses },
        }),
    grant_audience,
    ...(submission.grant_jkt === undefined ? {} : { grant_jkt: submission.grant_jkt }),
    sealed_payload: await sealPayload(deps.sealer, tenant, id, payload),
  };
  const leaf = leafMaker(deps, { tenant, subject: id, recordKey });
  const opened = leaf(
    'action_request.opened',
    at,
    { effect: evaluationView.effect, rules: evaluationView.rules, policy_digest: bundle.digest },
    openedDetails(request, outlineDigestOf({ bundle, evaluation, judged: evaluationView, at, view: shown.view, masked: shown.result.report })),
  );
  const callback = await callbackPlan(deps, request, []);
  const told = callback.wants('action_request.opened')
    ? await deliveryOf(deps, request, callback.format, openedCallback(request, callback.last + 1, deps.publicUrl))
    : null;
  const settlement: Settlement | null =
    request.status === 'pending'
      ? null
      : {
          status: request.status === 'approved' ? 'approved' : 'denied',
          sequence: callback.last + (told === null ? 1 : 2),
          callback,
          reason: pattern === null ? (explanation === '' ? null : explanation) : patternText(pattern),
          at,
          use,
        };
  const settled = settlement === null ? null : await settlementParts(deps, request, payload, [], settlement);
  const state: RequestState = { request, decisions: [], outcomes: settled === null ? [] : [settled.outcome], grant: settled?.grant ?? null, ...nothingYet(at) };
  const answer = answerOf(state, { publicUrl: deps.publicUrl, grant: null });
  const commit: OpenCommit = {
    tenant,
    timers: timersOf(request),
    active_policy: bundle.digest,
    request,
    idempotency: {
      key_id: caller.key_id,
      key: input.idempotency_key,
      fingerprint: input.fingerprint,
      request_id: id,
      sealed_answer: await deps.sealer.seal(answerContext(tenant, id), utf8(canonicalJson(answer))),
    },
    ...(judged.evaluation.limits.length === 0 ? {} : { limits: judged.evaluation.limits }),
    ...(met.chain_key === null ? {} : { chain_key: met.chain_key }),
    ...(pattern === null ? {} : { pattern_use: { id: pattern.id, used: pattern.used } }),
    cards: request.status === 'pending',
    ...settled,
    deliveries: [...(told === null ? [] : [told]), ...(settled?.deliveries ?? [])],
    leaves: [
      opened,
      ...(pattern === null
        ? []
        : [
            leaf(
              'pattern.used',
              at,
              { pattern: pattern.id },
              { approved_by: pattern.document.approved_by.map((person) => ({ ...person })), of: pattern.request_id },
              3,
            ),
          ]),
      ...(settled?.leaves ?? []),
    ],
  };
  return { kind: 'planned', commit, state };
}

function aboutOf({ bundles }: CompiledBundle, { catalogued: { data_classes, owner } }: Evaluation): AboutRequest {
  return {
    policy: bundles.map(({ name, version }) => ({ name, version: String(version) })),
    ...(data_classes.length === 0 ? {} : { data_classes }),
    ...(owner === undefined ? {} : { owner }),
  };
}

/** The catalogue fixes the environment of a resource; a caller that names another one is told. */
export function environmentMismatch({ environmentConflict }: Evaluation): NotAllowed | null {
  if (environmentConflict === undefined) return null;
  const { given, catalogue } = environmentConflict;
  return {
    kind: 'not_allowed',
    code: 'environment_mismatch',
    pointer: '/environment',
    text: `The catalogue says that this resource is in ${catalogue}, not ${given}.`,
  };
}

/** The caller as requests keep it: what it fixes, and of a workload what its token said. */
export function requesterOf({ key_id: id, name, authenticated, rights, workload }: Caller): RequesterView {
  const fixes = [...(isOne(rights.actors) ? ['actor' as const] : []), ...(isOne(rights.environments) ? ['environment' as const] : [])];
  return {
    type: workload === undefined ? 'api_key' : 'workload',
    id,
    name,
    authenticated,
    ...(workload?.workflow == null ? {} : { workflow: workload.workflow }),
    ...(workload === undefined ? {} : { claims: workload.claims }),
    ...(fixes.length === 0 ? {} : { fixes }),
  };
}

const isOne = ([first, ...others]: readonly string[]): boolean => first !== undefined && others.length === 0 && !first.endsWith('*');

/** What policy judges: the request unmasked, in the environment that the credential fixes where it does, and who asks. */
export function policyInput(submission: Submission, environment: string | undefined, now: Instant, requester?: RequesterView): PolicyInput {
  return {
    action: submission.action,
    resource: submission.resource,
    parameters: submission.parameters,
    actor: submission.actor,
    environment,
    reason: submission.reason,
    context: submission.context,
    now,
    ...(requester === undefined ? {} : { caller: policyCaller(requester), verified: requester.fixes ?? [] }),
  };
}

function policyCaller({ type, id, name, authenticated, claims = {} }: RequesterView): NonNullable<PolicyInput['caller']> {
  return { type, id, name, issuer: authenticated.issuer, claims };
}

/** Named, never masked: who asks, for whom, what kind of thing to what kind of thing. */
export const ALWAYS_SHOWN = ['/action', '/resource/type', '/actor/type', '/actor/id', '/actor/on_behalf_of/type', '/actor/on_behalf_of/id', '/environment'];

interface Shown {
  view: MaskedSubmission;
  result: MaskResult;
}

/** The submission as people see it; tokens are equal within one request alone. */
export function maskSubmission(submission: Submission, evaluation: Pick<Evaluation, 'maskPaths'>, key: Uint8Array): Shown {
  const { callback: _callback, grant_audience: _audience, grant_jkt: _jkt, timeout_seconds: _timeout, ...seen } = submission;
  const result = maskValue(seen as JsonValue, { paths: evaluation.maskPaths, key, keep: ALWAYS_SHOWN });
  // The masker replaces values by text and keeps the shape; members that were masked whole are text where the type says object.
  return { view: result.masked as MaskedSubmission, result };
}

/**
 * Never an approval blind: where masking could not look at everything, or hid what policy says must be shown, an action
 * that would pass needs people (or is denied where the bundle names none), and the card says why.
 */
export function tighten(evaluation: Evaluation, shown: Shown, bundle: CompiledBundle): { evaluation: Evaluation; warnings: string[] } {
  const warnings: string[] = [];
  if (!shown.result.complete) warnings.push('Part of the request is too large or too deep to be searched for secrets; it is hidden whole.');
  const buried = evaluation.mustShow.filter((path) => shown.result.report.some((entry) => touches(entry.pointer, path)));
  if (buried.length > 0) warnings.push(`Policy says that ${buried.join(', ')} must be shown, and a mask hides part of it.`);
  if (warnings.length === 0 || evaluation.effect !== 'allow') return { evaluation, warnings };
  const { require } = bundle.defaults;
  return {
    evaluation: { ...evaluation, effect: require === null ? 'deny' : 'require', requirement: require, explanation: [{ text: warnings.join(' ') }] },
    warnings,
  };
}

/**
 * Whether a mask at a JSON pointer hides part of a dotted path such as `parameters.rows[*].statement`: it lies at the path,
 * under it, or above it.
 */
function touches(pointer: string, path: string): boolean {
  const masked = pointerTokens(pointer);
  const shown = path.replaceAll('[*]', '.*').split('.');
  const shared = Math.min(masked.length, shown.length);
  return shown.slice(0, shared).every((name, index) => name === '*' || name === masked[index]);
}

/** Joins an explanation with values of the masked view. */
export function joinExplanation(parts: readonly ExplanationPart[], view: MaskedSubmission): string {
  return parts.map((part) => ('text' in part ? part.text : valueAt(view as JsonValue, part.value))).join('');
}

function valueAt(root: JsonValue, pointer: string): string {
  let value: JsonValue | undefined = root;
  for (const name of pointerTokens(pointer)) {
    value = value !== null && typeof value === 'object' && Object.hasOwn(value, name) ? (value as { [member: string]: JsonValue })[name] : undefined;
  }
  return value === undefined ? '(not given)' : typeof value === 'string' ? value : JSON.stringify(value);
}

function callbackTarget(submission: Submission): CallbackTarget | null {
  const { callback } = submission;
  if (callback === undefined) return null;
  return 'url' in callback ? { kind: 'url', url: callback.url } : { kind: 'endpoint', endpoint_id: callback.endpoint_id };
}

export function openedDetails(request: ActionRequestRecord, explanationDigest?: Digest): JsonObject {
  return {
    action_digest: request.action_digest,
    request_digest: request.request_digest,
    view_digest: request.view_digest,
    // Written by requesterOf: its optional members are there or absent, never undefined.
    requester: request.requester as unknown as JsonObject,
    chain: request.chain.map(({ role, person_id, ref, name, members }) => ({ role, person_id, ref, name, ...(members === undefined ? {} : { members }) })),
    view: request.view as JsonValue,
    explanation: request.evaluation.explanation,
    ...(explanationDigest === undefined ? {} : { explanation_digest: explanationDigest }),
    warnings: request.warnings,
  };
}

const answerContext = (tenant: string, requestId: string): SealContext => ({ tenant, table: 'idempotency_keys', row: requestId, column: 'sealed_answer' });

/** The first answer again, with the grant only while it is live. */
async function storedAnswer(deps: FlowDeps, caller: Caller, requestId: string, sealed: Uint8Array): Promise<ActionRequest> {
  const text = fromUtf8(await deps.sealer.open(answerContext(caller.tenant, requestId), sealed));
  // Written by planOpen alone and authenticated with its place.
  const answer = JSON.parse(text) as ActionRequest;
  if (answer.outcome === null || answer.status !== 'approved') return answer;
  const state = await deps.requests.state(caller.tenant, requestId);
  const grant = state === null ? null : await liveGrant(deps, state);
  return grant === null ? answer : { ...answer, outcome: { ...answer.outcome, grant } };
}
