import { freshGrantSchema, receiptSchema, redeemAnswerSchema, redeemBodySchema, reportAnswerSchema, reportBodySchema } from '@countersign/contracts';
import { freshGrant, receiptOf, redeem, report } from '@countersign/core/flow';
import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { notFound, refused, trouble } from '../problems.js';
import { visible } from './action-requests.js';

const idParameter = { id: 'The id of an action request, ar_…' };

/** From the approval to what came of it: get a grant, spend it, say how it ended, and take the proof of it all home. */
export function grantRoutes(deps: IntakeDeps): Route[] {
  const { flow, ledger } = deps;
  return [
    route({
      method: 'post',
      path: '/v1/action-requests/:id/grant',
      name: 'freshGrant',
      tag: 'Grants',
      summary: 'Another grant of an approval that may still be used. All grants of a request are spent by one redemption',
      who: 'caller',
      parameters: idParameter,
      answers: { 201: { description: 'A fresh grant, for the requesting caller alone', schema: freshGrantSchema } },
      problems: ['not_approved', 'grant_already_redeemed', 'grant_revoked', 'approval_over', 'policy_changed', 'frozen'],
      async handle({ reader: { caller }, params: { id = '' } }) {
        const outcome = await freshGrant(flow, caller, id);
        return outcome.kind === 'refused' ? refused(outcome) : { status: 201, json: outcome.answer };
      },
    }),

    route({
      method: 'post',
      path: '/v1/grants/redeem',
      name: 'redeemGrant',
      tag: 'Grants',
      summary: 'Spend a grant, once, right before the action runs. Anything but 200 means: do not run it',
      who: 'caller',
      body: redeemBodySchema,
      answers: { 200: { description: 'Redeemed: run the action now', schema: redeemAnswerSchema } },
      problems: [
        'invalid_grant',
        'invalid_dpop_proof',
        'grant_tenant_mismatch',
        'grant_audience_mismatch',
        'grant_expired',
        'grant_revoked',
        'action_mismatch',
        'grant_already_redeemed',
        'policy_changed',
        'frozen',
      ],
      async handle({ reader: { caller }, body: { grant, action }, header }) {
        const outcome = await redeem(flow, { caller, grant, action, proof: header('dpop') });
        return outcome.kind === 'refused' ? refused(outcome) : { status: 200, json: outcome.answer };
      },
    }),

    route({
      method: 'post',
      path: '/v1/action-requests/:id/report',
      name: 'reportExecution',
      tag: 'Grants',
      summary: 'Say what came of the action, once, as the caller that redeemed its grant',
      who: 'caller',
      parameters: idParameter,
      body: reportBodySchema,
      answers: {
        201: {
          description: 'Recorded, and shown to those who approved',
          schema: reportAnswerSchema,
          headers: { 'Idempotent-Replayed': '`true` when this is the answer to the same report again' },
        },
      },
      problems: ['not_redeemed', 'not_the_executor', 'already_reported'],
      async handle({ reader: { caller }, params: { id = '' }, body }) {
        const outcome = await report(flow, caller, id, body);
        if (outcome.kind === 'refused') return refused(outcome);
        return { status: 201, json: outcome.answer, headers: outcome.replayed ? { 'Idempotent-Replayed': 'true' } : {} };
      },
    }),

    route({
      method: 'get',
      path: '/v1/action-requests/:id/receipt',
      name: 'getReceipt',
      tag: 'Grants',
      summary: 'All that proves offline what happened to a request: its ledger entries with their proofs, and the keys',
      who: 'either',
      parameters: idParameter,
      answers: { 200: { description: 'The receipt as of the latest checkpoint', schema: receiptSchema } },
      problems: ['receipt_not_ready'],
      async handle({ reader, params: { id = '' } }) {
        const state = await visible(deps, reader, id);
        if (state === null) return notFound();
        const keys = { jwks: await deps.jwks(), checkpoints: (await deps.checkpointKeys()).map(({ publicKey }) => publicKey) };
        const outcome = await receiptOf({ ...flow, ledger }, state, keys);
        if (outcome.kind === 'receipt') return { status: 200, json: outcome.receipt };
        return trouble('receipt_not_ready', 'Some entries of this request have no place in the ledger yet. Ask again in a moment.', {
          headers: { 'Retry-After': '1' },
        });
      },
    }),
  ];
}
