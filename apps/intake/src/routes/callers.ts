import { evaluationAnswerSchema, evaluationBodySchema } from '@countersign/contracts';
import { evaluate } from '@countersign/core/flow';
import { maskValue } from '@countersign/core/masking';
import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { trouble } from '../problems.js';
import { anyJsonSchema } from '../schemas.js';

/** What a caller does besides asking: try policy out, have data masked. */
export function callerRoutes({ flow }: IntakeDeps): Route[] {
  return [
    route({
      method: 'post',
      path: '/v1/evaluations',
      name: 'evaluate',
      tag: 'Policy',
      summary: 'What policy would say now. Nothing is opened or recorded',
      who: 'caller',
      body: evaluationBodySchema,
      answers: { 200: { description: 'The evaluation', schema: evaluationAnswerSchema } },
      problems: ['actor_not_allowed', 'action_not_allowed', 'environment_mismatch'],
      async handle({ reader: { caller }, body }) {
        const outcome = await evaluate(flow, caller, body);
        if (outcome.kind === 'evaluated') return { status: 200, json: outcome.answer };
        return trouble(outcome.code, outcome.text, { errors: [{ pointer: outcome.pointer, detail: outcome.text }] });
      },
    }),

    route({
      method: 'post',
      path: '/v1/mask',
      name: 'mask',
      tag: 'Masking',
      summary: 'The same JSON with secrets and personal data masked. Equal values get equal tokens within one call alone',
      who: 'caller',
      body: anyJsonSchema,
      answers: { 200: { description: 'The same data, masked', schema: anyJsonSchema } },
      async handle({ body }) {
        const { masked } = maskValue(body, { paths: [], key: flow.entropy.bytes(32), keep: [] });
        return { status: 200, bytes: new TextEncoder().encode(JSON.stringify(masked)), type: 'application/json; charset=utf-8' };
      },
    }),
  ];
}
