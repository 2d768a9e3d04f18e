import type { JsonObject, JsonValue, Submission } from '@countersign/contracts';
import { type Refusal, refusals } from '../decision/index.js';
import { CoreError } from '../errors.js';
import { maskValue } from '../masking/index.js';
import type { Caller, ChangeCommit, ProposalRecord, RequestState, SealContext } from '../ports.js';
import { canonicalJson, digestOf, fromUtf8, newId, utf8 } from '../request/index.js';
import { type FlowDeps, MAX_PLANS } from './deps.js';
import { noticeOf } from './notices.js';
import { open, type OpenOutcome } from './open.js';
import { eligibleApprover, masked } from './questions.js';
import { leafMaker, openPayload } from './record-key.js';
import { cancel } from './revoke.js';
import { stateAfter, tooLate } from './settle.js';
import { peopleBehind } from './settled-notices.js';

const MAX_PROPOSALS = 20;

export type ProposalOutcome = { kind: 'proposed'; proposal: ProposalRecord; state: RequestState } | Refusal;

/**
 * An approver says with which other values the action would be acceptable: only of parameters that policy lists. Nothing of the request
 * changes; the caller may open another one with them.
 */
export async function propose(
  deps: FlowDeps,
  by: { tenant: string; person_id: string },
  request_id: string,
  body: { parameters: JsonObject; reason?: string | undefined },
): Promise<ProposalOutcome> {
  for (let plans = 0; plans < MAX_PLANS; plans++) {
    const context = await deps.requests.decidingContext({ tenant: by.tenant, request_id, person_id: by.person_id });
    if (context === null) return refusals.notFound();
    const approver = eligibleApprover(context, by.person_id);
    if ('kind' in approver) return approver;
    const { request } = context;
    const allowed = (request.requirement?.counter ?? []).map(pathOf);
    const wrong = Object.keys(body.parameters).find((path) => !allowed.includes(pathOf(path)));
    if (wrong !== undefined) {
      const listed =
        allowed.length === 0
          ? 'Policy lets nobody propose other values for this request. Deny it, and say why.'
          : `Policy lets other values be proposed for ${allowed.join(', ')} only.`;
      return refusals.counterNotAllowed(listed);
    }
    if (context.proposals.length >= MAX_PROPOSALS) return refusals.tooMany(`This request has ${MAX_PROPOSALS} counter-proposals already.`);
    const payload = await openPayload(deps.sealer, request);
    if (withValues(payload.submission, body.parameters) === null)
      return refusals.counterNotAllowed('A path leads through something that is not an object in this request. Name an existing parameter.');
    const at = deps.clock.now();
    const id = newId('pr', at, deps.entropy.bytes(10));
    const { email, name } = approver;
    const proposal: ProposalRecord = {
      id,
      request_id,
      person: { id: approver.id, email, name },
      // Masked as the values of the request are.
      parameters: maskValue(body.parameters, { paths: [], key: deps.entropy.bytes(32) }).masked as JsonObject,
      reason: body.reason === undefined ? null : masked(deps, body.reason),
      proposed_at: at,
      sealed_parameters: await deps.sealer.seal(proposalContext(by.tenant, id), utf8(canonicalJson(body.parameters))),
      accepted_as: null,
      accepted_at: null,
    };
    const leaf = leafMaker(deps, { tenant: by.tenant, subject: request_id, recordKey: payload.recordKey });
    const commit: ChangeCommit = {
      tenant: by.tenant,
      request_id,
      from: { version: request.version, status: 'pending' },
      time: 'live',
      set: {},
      proposal: { kind: 'made', record: proposal },
      notices: [
        noticeOf(deps, request, 'proposal_made', at, {
          people: peopleBehind(request),
          text: `${name} would rather see ${request.view.action} with ${JSON.stringify(proposal.parameters)}.`,
        }),
      ],
      cards: true,
      leaves: [leaf('proposal.made', at, { proposal: id }, { person: proposal.person, parameters: proposal.parameters, reason: proposal.reason })],
    };
    const result = await deps.requests.change(commit);
    if (result.kind === 'committed') {
      for (const topic of ['cards', 'decisions'] as const) deps.announcer.announce(topic);
      return { kind: 'proposed', proposal, state: stateAfter(context, commit) };
    }
    if (result.kind === 'time') return tooLate(context, 'the time is over');
  }
  throw new CoreError('contention', `${request_id} changed ${MAX_PLANS} times while a counter-proposal was being noted.`);
}

export type AcceptOutcome = OpenOutcome | Refusal;

/**
 * The caller takes a counter-proposal: a new request with its own digests, opened by the very road of every other one, so that policy
 * judges it anew; what the old one asked for is withdrawn where nobody has decided it. Doing it twice answers the same request.
 */
export async function accept(deps: FlowDeps, caller: Caller, request_id: string, proposal_id: string): Promise<AcceptOutcome> {
  const state = await deps.requests.state(caller.tenant, request_id);
  if (state === null || state.request.requester.id !== caller.key_id) return refusals.notFound();
  const proposal = state.proposals.find(({ id }) => id === proposal_id);
  if (proposal === undefined) return refusals.notFound();
  if (proposal.accepted_as === null && state.request.status === 'approved') return tooLate(state, 'the request itself was approved');
  const payload = await openPayload(deps.sealer, state.request);
  // Sealed by propose alone: a JSON object.
  const values = JSON.parse(fromUtf8(await deps.sealer.open(proposalContext(caller.tenant, proposal_id), proposal.sealed_parameters))) as JsonObject;
  const submission = withValues(payload.submission, values);
  if (submission === null) throw new CoreError('invalid_argument', `The values of ${proposal_id} do not fit its request.`);
  // One key per proposal: whoever asks again gets the request that was opened first.
  const opened = await open(deps, { caller, submission, idempotency_key: `counter-proposal:${proposal_id}`, fingerprint: digestOf(submission) });
  if (opened.kind === 'opened' || opened.kind === 'replayed') {
    await noteAccepted(deps, caller.tenant, request_id, proposal_id, opened.answer.id);
    if (state.request.status === 'pending') await cancel(deps, { kind: 'caller', caller }, request_id);
  }
  return opened;
}

async function noteAccepted(deps: FlowDeps, tenant: string, request_id: string, proposal_id: string, accepted_as: string): Promise<void> {
  for (let plans = 0; plans < MAX_PLANS; plans++) {
    const state = await deps.requests.state(tenant, request_id);
    const proposal = state?.proposals.find(({ id }) => id === proposal_id);
    if (state === null || proposal === undefined || proposal.accepted_as !== null) return;
    const { request } = state;
    const at = deps.clock.now();
    const { recordKey } = await openPayload(deps.sealer, request);
    const leaf = leafMaker(deps, { tenant, subject: request_id, recordKey });
    const result = await deps.requests.change({
      tenant,
      request_id,
      from: { version: request.version, status: request.status },
      time: 'any',
      set: {},
      proposal: { kind: 'accepted', record: { ...proposal, accepted_as, accepted_at: at } },
      cards: true,
      leaves: [leaf('proposal.accepted', at, { proposal: proposal_id, accepted_as }, {})],
    });
    if (result.kind === 'committed') return;
  }
  throw new CoreError('contention', `${request_id} changed ${MAX_PLANS} times while its counter-proposal was being accepted.`);
}

const proposalContext = (tenant: string, id: string): SealContext => ({ tenant, table: 'proposals', row: id, column: 'sealed_parameters' });

/** Paths are of parameters, with or without saying so. */
const pathOf = (path: string): string => (path.startsWith('parameters.') ? path : `parameters.${path}`);

/** The submission with other values at these paths; null where a path leads through something that is not an object. */
function withValues(submission: Submission, values: JsonObject): Submission | null {
  // A copy of plain JSON.
  const copy = JSON.parse(JSON.stringify(submission)) as Submission;
  const root: JsonObject = { parameters: copy.parameters ?? {} };
  for (const [path, value] of Object.entries(values)) {
    const names = pathOf(path).split('.');
    const last = names.pop();
    let holder: JsonValue | undefined = root;
    for (const name of names) holder = isObject(holder) && Object.hasOwn(holder, name) ? holder[name] : undefined;
    if (last === undefined || !isObject(holder) || RESERVED.has(last)) return null;
    holder[last] = value;
  }
  return { ...copy, parameters: root['parameters'] as NonNullable<Submission['parameters']> };
}

const RESERVED = new Set(['__proto__', 'constructor', 'prototype']);
const isObject = (value: JsonValue | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);
