import { actionRequestListSchema, actionRequestSchema, type ListQuery, listQuerySchema, type Submission, submissionSchema } from '@countersign/contracts';
import {
  cancel,
  explainRequest,
  explanationDigestOf,
  liveGrant,
  open,
  type OpenOutcome,
  revoke,
  timelineOf,
  waitingNow,
  type Withdrawer,
  type WithdrawOutcome,
} from '@countersign/core/flow';
import { answerOf } from '@countersign/core/outcome';
import type { RequestFilter, RequestState } from '@countersign/core/ports';
import { digestOf, formatInstant } from '@countersign/core/request';
import { checkProof } from '@countersign/identity';
import { cursorOf, readCursor } from '../cursor.js';
import type { IntakeDeps } from '../deps.js';
import { type Answer, type Route, route } from '../http/route.js';
import { notFound, refused, trouble, type Trouble } from '../problems.js';
import { explanationSchema, timelineSchema, waitQuerySchema } from '../schemas.js';
import { mayRead, type Reader, readerFilter } from '../visibility.js';

const idParameter = { id: 'The id of an action request, ar_…' };

export function actionRequestRoutes(deps: IntakeDeps): Route[] {
  const { flow, waiters } = deps;
  const lookMs = deps.times?.lookMs ?? 1500;
  /** Idempotency keys whose first request is running in this process. Other processes are held apart by the store. */
  const running = new Set<string>();

  return [
    route({
      method: 'post',
      path: '/v1/action-requests',
      name: 'submitActionRequest',
      tag: 'Action requests',
      summary: 'Ask whether an action may run. Answers at once; people decide later',
      who: 'caller',
      idempotent: 'key',
      commit_judges_key: true,
      body: submissionSchema,
      answers: {
        201: {
          description: 'Opened. What policy allows or denies is settled already, with its outcome',
          schema: actionRequestSchema,
          headers: { Location: 'Where to read it', 'Idempotent-Replayed': '`true` when this is the answer to an earlier request with the same key' },
        },
      },
      problems: [
        'actor_not_allowed',
        'action_not_allowed',
        'environment_mismatch',
        'callback_not_allowed',
        'endpoint_unknown',
        'frozen',
        'idempotency_key_missing',
        'idempotency_key_invalid',
        'idempotency_key_reused',
        'idempotency_in_progress',
      ],
      async handle({ reader: { caller }, body, header }) {
        const key = idempotencyKeyOf(header('idempotency-key'));
        if (typeof key !== 'string') return key;
        const slot = `${caller.key_id} ${key}`;
        if (running.has(slot)) return stillRunning();
        running.add(slot);
        try {
          const submission = await boundSubmission(deps, caller.tenant, body, header('dpop'));
          if ('problem' in submission) return submission;
          return openAnswer(await open(flow, { caller, submission, idempotency_key: key, fingerprint: digestOf(body) }), flow.publicUrl);
        } finally {
          running.delete(slot);
        }
      },
    }),

    route({
      method: 'get',
      path: '/v1/action-requests',
      name: 'listActionRequests',
      tag: 'Action requests',
      summary: 'The requests that you may see, newest first. Grants are not in lists',
      who: 'either',
      query: listQuerySchema,
      answers: { 200: { description: 'One page', schema: actionRequestListSchema } },
      async handle({ reader, query }) {
        const filter = await filterOf(deps, reader, query);
        if (filter === null) return { status: 200, json: { data: [], next_cursor: null } };
        if ('problem' in filter) return filter;
        const found = await flow.requests.list(reader.tenant, { ...filter, limit: filter.limit + 1 });
        const page = found.slice(0, filter.limit);
        const last = page.at(-1)?.request;
        const next_cursor =
          found.length > page.length && last !== undefined ? cursorOf({ created_at: last.created_at, id: last.id }, cursorScope(reader, query)) : null;
        return { status: 200, json: { data: page.map((state) => answerOf(state, { publicUrl: flow.publicUrl, grant: null })), next_cursor } };
      },
    }),

    route({
      method: 'get',
      path: '/v1/action-requests/:id',
      name: 'getActionRequest',
      tag: 'Action requests',
      summary: 'One request; with `wait`, once it is settled or the time is over',
      who: 'either',
      parameters: idParameter,
      query: waitQuerySchema,
      answers: {
        200: {
          description: 'The request as it stands. The grant of an approval is shown to the requesting caller alone, until it is redeemed',
          schema: actionRequestSchema,
        },
      },
      async handle({ reader, params: { id = '' }, query: { wait }, signal }) {
        const watch = waiters.watch(id);
        try {
          const deadline = performance.now() + wait * 1000;
          let state = await visible(deps, reader, id);
          while (state !== null && state.request.status === 'pending' && !signal.aborted) {
            const left = deadline - performance.now();
            if (left <= 0) break;
            // A quarter of jitter, so that many who wait do not look in step.
            await watch.next(Math.min(left, lookMs * (1 + Math.random() / 4)), signal);
            state = await visible(deps, reader, id);
          }
          return state === null ? notFound() : await requestAnswer(deps, reader, state);
        } finally {
          watch.end();
        }
      },
    }),

    route({
      method: 'post',
      path: '/v1/action-requests/:id/cancel',
      name: 'cancelActionRequest',
      tag: 'Action requests',
      summary: 'Take a pending request back',
      who: 'either',
      changes: true,
      parameters: idParameter,
      answers: { 200: { description: 'Cancelled', schema: actionRequestSchema } },
      problems: ['not_the_requester', 'already_settled', 'account_inactive'],
      handle: ({ reader, params: { id = '' } }) => withdrawAnswer(deps, reader, id, cancel),
    }),

    route({
      method: 'post',
      path: '/v1/action-requests/:id/revoke',
      name: 'revokeActionRequest',
      tag: 'Action requests',
      summary: 'Take an approval back before it is redeemed',
      who: 'either',
      changes: true,
      parameters: idParameter,
      answers: { 200: { description: 'Revoked; the caller is told by callback', schema: actionRequestSchema } },
      problems: ['not_an_approver', 'not_revocable', 'account_inactive'],
      handle: ({ reader, params: { id = '' } }) => withdrawAnswer(deps, reader, id, revoke),
    }),

    route({
      method: 'get',
      path: '/v1/action-requests/:id/events',
      name: 'listActionRequestEvents',
      tag: 'Action requests',
      summary: 'What has happened to a request: its ledger entries, masked',
      who: 'either',
      parameters: idParameter,
      answers: { 200: { description: 'In the order of time', schema: timelineSchema } },
      async handle({ reader, params: { id = '' } }) {
        const state = await visible(deps, reader, id);
        if (state === null) return notFound();
        const leaves = await flow.requests.timeline(reader.tenant, id);
        return { status: 200, json: { data: await timelineOf(flow.sealer, state.request, leaves), next_cursor: null } };
      },
    }),

    route({
      method: 'get',
      path: '/v1/action-requests/:id/explanation',
      name: 'explainActionRequest',
      tag: 'Action requests',
      summary: 'Why policy said what it said, and who is still needed',
      who: 'either',
      parameters: idParameter,
      answers: { 200: { description: 'The evaluation that the request was opened with', schema: explanationSchema } },
      async handle({ reader, params: { id = '' } }) {
        const state = await visible(deps, reader, id);
        if (state === null) return notFound();
        const { evaluation, requirement, resolved, masked, warnings } = state.request;
        const { labels, environment = null, reversibility } = resolved;
        const explanation = await explainRequest(flow, state.request);
        return {
          status: 200,
          json: {
            action_request: id,
            evaluation,
            requirement,
            resolved: { labels, environment, reversibility },
            masked,
            warnings,
            waiting_for: waitingNow(state),
            explanation,
            explanation_digest: explanation === null ? null : explanationDigestOf(explanation),
          },
        };
      },
    }),
  ];
}

/** The request, if there is one that the reader may see. */
export async function visible(deps: IntakeDeps, reader: Reader, id: string): Promise<RequestState | null> {
  const state = await deps.flow.requests.state(reader.tenant, id);
  return state !== null && mayRead(reader, state) ? state : null;
}

async function requestAnswer(deps: IntakeDeps, reader: Reader, state: RequestState): Promise<Answer> {
  // mayRead let a caller through only where it is the requesting one.
  const grant = reader.kind === 'caller' ? await liveGrant(deps.flow, state) : null;
  return { status: 200, json: answerOf(state, { publicUrl: deps.flow.publicUrl, grant }) };
}

/** What opening a request answers. */
export function openAnswer(outcome: OpenOutcome, publicUrl: string): Answer {
  switch (outcome.kind) {
    case 'opened':
    case 'replayed':
      return {
        status: 201,
        json: outcome.answer,
        headers: {
          Location: `${publicUrl}/v1/action-requests/${outcome.answer.id}`,
          ...(outcome.kind === 'replayed' ? { 'Idempotent-Replayed': 'true' } : {}),
        },
      };
    case 'in_progress':
      return stillRunning();
    case 'key_reused':
      return trouble('idempotency_key_reused', 'This key came with another body before. A new request needs a new key.');
    case 'key_inactive':
      return trouble('unauthenticated', 'The API key was revoked.');
    case 'frozen':
      return trouble('frozen', outcome.text);
    case 'not_allowed':
      return trouble(outcome.code, outcome.text, { errors: [{ pointer: outcome.pointer, detail: outcome.text }] });
  }
}

const stillRunning = (): Trouble =>
  trouble('idempotency_in_progress', 'The first request with this key has not ended. Ask again in a moment.', { headers: { 'Retry-After': '1' } });

/** 1 to 255 visible ASCII characters. A header given twice arrives joined by a comma and a space, and is refused by the space. */
function idempotencyKeyOf(header: string | undefined): string | Trouble {
  if (header === undefined) return trouble('idempotency_key_missing', 'Send an Idempotency-Key: a new one for each action, the same one when you try again.');
  if (!/^[\x21-\x7e]{1,255}$/.test(header))
    return trouble('idempotency_key_invalid', 'An Idempotency-Key is 1 to 255 visible ASCII characters without spaces.');
  return header;
}

async function withdrawAnswer(
  deps: IntakeDeps,
  reader: Reader,
  id: string,
  withdraw: (flow: IntakeDeps['flow'], by: Withdrawer, id: string) => Promise<WithdrawOutcome>,
): Promise<Answer> {
  if ((await visible(deps, reader, id)) === null) return notFound();
  const by: Withdrawer =
    reader.kind === 'caller' ? { kind: 'caller', caller: reader.caller } : { kind: 'person', tenant: reader.tenant, person_id: reader.person.id };
  const outcome = await withdraw(deps.flow, by, id);
  return outcome.kind === 'refused' ? refused(outcome) : requestAnswer(deps, reader, outcome.state);
}

/** The query as the store takes it; null where it can match nothing. */
async function filterOf(deps: IntakeDeps, reader: Reader, query: ListQuery): Promise<RequestFilter | Trouble | null> {
  const { decided_by, from, to, cursor, limit, ...same } = query;
  const before = cursor === undefined ? undefined : readCursor(cursor, cursorScope(reader, query));
  if (before === null)
    return trouble('invalid_query', 'The cursor is not one of this list.', { errors: [{ pointer: '/cursor', detail: 'belongs to no page of this query' }] });
  const decider = decided_by === undefined ? undefined : (await deps.directory.people(reader.tenant, [decided_by]))[0]?.id;
  if (decided_by !== undefined && decider === undefined) return null;
  const { status, action, actor, resource } = same;
  return {
    limit,
    reader: readerFilter(reader),
    ...(status === undefined ? {} : { status }),
    ...(action === undefined ? {} : { action }),
    ...(actor === undefined ? {} : { actor }),
    ...(resource === undefined ? {} : { resource }),
    ...(decider === undefined ? {} : { decided_by: decider }),
    ...(from === undefined ? {} : { from: formatInstant(Date.parse(from)) }),
    ...(to === undefined ? {} : { to: formatInstant(Date.parse(to)) }),
    ...(before === undefined ? {} : { before }),
  };
}

/** A cursor is for the same query, with pages of any size, and the same reader. */
function cursorScope(reader: Reader, query: ListQuery): object {
  const { cursor: _cursor, limit: _limit, ...rest } = query;
  const asked = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return { tenant: reader.tenant, reader: reader.kind === 'caller' ? reader.caller.key_id : reader.person.id, ...asked };
}

/** A DPoP proof at the submission names the key that redemption must prove (RFC 9449), as `grant_jkt` does. */
async function boundSubmission({ callers, flow }: IntakeDeps, tenant: string, body: Submission, proof: string | undefined): Promise<Submission | Trouble> {
  if (proof === undefined) return body;
  const target = { tenant, method: 'POST', path: '/v1/action-requests', grant: null, jkt: body.grant_jkt ?? null };
  const checked = await checkProof({ callers, clock: flow.clock, publicUrl: flow.publicUrl }, proof, target);
  return 'problem' in checked ? trouble('invalid_dpop_proof', checked.problem) : { ...body, grant_jkt: checked.jkt };
}
