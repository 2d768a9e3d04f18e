import { type PatternView, patternListSchema, patternQuerySchema, patternSchema } from '@countersign/contracts';
import { revokePattern, seesPattern } from '@countersign/core/flow';
import type { PatternRecord } from '@countersign/core/ports';
import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { notFound, trouble } from '../problems.js';
import type { Reader } from '../visibility.js';

const idParameter = { id: 'The id of a pattern, pt_…' };

/** What approvers let pass without being asked again. */
export function patternRoutes({ flow, control: { patterns } }: IntakeDeps): Route[] {
  const now = (): string => flow.clock.now();
  return [
    route({
      method: 'get',
      path: '/v1/patterns',
      name: 'listPatterns',
      tag: 'Control',
      summary: 'Approved patterns that you may see: what passes without asking, how often still, and until when',
      who: 'either',
      query: patternQuerySchema,
      answers: { 200: { description: 'Newest first', schema: patternListSchema } },
      async handle({ reader, query: { state, limit } }) {
        const found = await patterns.list(reader.tenant, { live: state === 'live', limit });
        return { status: 200, json: { data: found.filter((pattern) => maySee(reader, pattern)).map((pattern) => viewOf(pattern, now())), next_cursor: null } };
      },
    }),

    route({
      method: 'get',
      path: '/v1/patterns/:id',
      name: 'getPattern',
      tag: 'Control',
      summary: 'One approved pattern',
      who: 'either',
      parameters: idParameter,
      answers: { 200: { description: 'The pattern', schema: patternSchema } },
      async handle({ reader, params: { id = '' } }) {
        const pattern = await patterns.get(reader.tenant, id);
        return pattern === null || !maySee(reader, pattern) ? notFound() : { status: 200, json: viewOf(pattern, now()) };
      },
    }),

    route({
      method: 'delete',
      path: '/v1/patterns/:id',
      name: 'revokePattern',
      tag: 'Control',
      summary: 'Take a pattern back: from now on people are asked again',
      who: 'person',
      caller_refusal: { problem: 'forbidden', detail: 'People take patterns back, not API keys.' },
      changes: true,
      parameters: idParameter,
      answers: { 200: { description: 'Revoked', schema: patternSchema } },
      problems: ['already_lifted'],
      async handle({ reader: { tenant, person }, params: { id = '' } }) {
        const outcome = await revokePattern({ ...flow, patterns }, { tenant, person }, id);
        return outcome.kind === 'revoked' ? { status: 200, json: viewOf(outcome.pattern, now()) } : trouble(outcome.code, outcome.text);
      },
    }),
  ];
}

/** A caller sees those of its own requests. */
function maySee(reader: Reader, pattern: PatternRecord): boolean {
  return reader.kind === 'caller' ? pattern.document.requester.id === reader.caller.key_id : seesPattern(reader.person, pattern);
}

function viewOf(pattern: PatternRecord, now: string): PatternView {
  const { id, document, request_id: action_request, created_at, expires_at, uses, used, revoked_at, revoked_by } = pattern;
  const { action, resource, actor, environment, requester, pinned, approved_by } = document;
  const state = revoked_at !== null ? 'revoked' : used >= uses ? 'used_up' : expires_at <= now ? 'over' : 'live';
  return {
    id,
    state,
    action_request,
    action,
    resource,
    actor,
    environment,
    requester,
    pinned,
    approved_by,
    created_at,
    expires_at,
    uses,
    used,
    revoked_at,
    revoked_by,
  };
}
