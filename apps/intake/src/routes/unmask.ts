import { revealableListSchema, unmaskBodySchema, unmaskedSchema } from '@countersign/contracts';
import { reveal, revealables } from '@countersign/core/flow';
import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { notFound, trouble } from '../problems.js';
import { ceremony } from '../step-up.js';
import { visible } from './action-requests.js';

/** Seeing one masked value, where policy lets a person: in their own session, on the record, and in this answer alone. */
export function unmaskRoutes(deps: IntakeDeps): Route[] {
  return [
    route({
      method: 'post',
      path: '/v1/unmask',
      name: 'unmask',
      tag: 'Masking',
      summary: 'Show one masked value to the person who asks, where policy lets them. Who, what and why is recorded; the value is not',
      who: 'person',
      // What masks hide from people they hide from software all the more.
      caller_refusal: { problem: 'reveal_not_allowed', detail: 'An API key sees masked values alone. A person with the right sees one, in their own session.' },
      body: unmaskBodySchema,
      answers: { 200: { description: 'The value, not to be kept', schema: unmaskedSchema, headers: { 'Cache-Control': 'no-store' } } },
      problems: ['reveal_not_allowed', 'step_up_required', 'account_inactive', 'not_found'],
      async handle({ reader, header, body }) {
        const who = ceremony(deps, reader, header('cookie'));
        if ('problem' in who) return trouble('reveal_not_allowed', 'A value is shown in your own browser session, never to a token.');
        if ((await visible(deps, reader, body.action_request)) === null) return notFound();
        const { action_request: request_id, pointer, purpose } = body;
        const outcome = await reveal(deps.flow, {
          tenant: who.tenant,
          person_id: who.person.id,
          request_id,
          pointer,
          purpose,
          proved_at: reader.session?.auth_time ?? null,
        });
        if (outcome.kind === 'refused') return trouble(outcome.code, outcome.text);
        return { status: 200, json: { pointer, classes: outcome.classes, value: outcome.value }, headers: { 'Cache-Control': 'no-store' } };
      },
    }),

    route({
      method: 'get',
      path: '/v1/action-requests/:id/masked',
      name: 'listMaskedValues',
      tag: 'Masking',
      summary: 'What is masked in a request, and which of it you may see',
      who: 'person',
      parameters: { id: 'The id of an action request, ar_…' },
      answers: { 200: { description: 'Each masked place; no value', schema: revealableListSchema } },
      async handle({ reader, params: { id = '' } }) {
        if ((await visible(deps, reader, id)) === null) return notFound();
        return {
          status: 200,
          json: { data: await revealables(deps.flow, { tenant: reader.tenant, person_id: reader.person.id, request_id: id }), next_cursor: null },
        };
      },
    }),
  ];
}
