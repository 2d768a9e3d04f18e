import { reviewBodySchema, reviewListSchema, reviewQuerySchema, reviewSchema } from '@countersign/contracts';
import { review } from '@countersign/core/flow';
import { reviewView } from '@countersign/core/outcome';
import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { notFound, refused } from '../problems.js';
import { seesAll } from '../visibility.js';

const PEOPLE_ONLY = { problem: 'forbidden', detail: 'Only people review, each by a session or personal token of their own.' } as const;

/** What break-glass let pass: listed until somebody else has said whether it was justified. */
export function reviewRoutes({ flow, followUps }: IntakeDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/v1/reviews',
      name: 'listReviews',
      tag: 'Decisions',
      summary: 'Approvals by break-glass that wait for a review by a group of yours; auditors and administrators see all',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      query: reviewQuerySchema,
      answers: { 200: { description: 'Newest first', schema: reviewListSchema } },
      async handle({ reader: { tenant, person }, query: { state } }) {
        const found = await followUps.reviews.list(tenant, { open: state === 'open', groups: seesAll(person) ? null : person.groups, limit: 500 });
        return { status: 200, json: { data: found.map(reviewView), next_cursor: null } };
      },
    }),

    route({
      method: 'post',
      path: '/v1/reviews/:id',
      name: 'completeReview',
      tag: 'Decisions',
      summary: 'Say whether breaking the glass was justified. Not for who broke it, nor for who stands behind the request. Once',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      parameters: { id: 'The id of a review, rv_…' },
      body: reviewBodySchema,
      answers: { 200: { description: 'Reviewed', schema: reviewSchema } },
      problems: ['not_a_reviewer', 'already_reviewed', 'account_inactive'],
      async handle({ reader: { tenant, person }, params: { id = '' }, body }) {
        const found = await followUps.reviews.get(tenant, id);
        if (found === null) return notFound();
        const outcome = await review(flow, { tenant, person_id: person.id }, id, found.request_id, body);
        return outcome.kind === 'refused' ? refused(outcome) : { status: 200, json: reviewView(outcome.review) };
      },
    }),
  ];
}
