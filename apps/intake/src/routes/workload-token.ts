import { exchangedTokenSchema, tokenExchangeSchema } from '@countersign/contracts';
import { exchangeToken } from '@countersign/identity';
import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { trouble } from '../problems.js';

/** A platform's token for one of ours (RFC 8693). */
export function workloadTokenRoutes({ flow, callers, workloads }: IntakeDeps): Route[] {
  return [
    route({
      method: 'post',
      path: '/v1/token',
      name: 'exchangeToken',
      tag: 'API keys',
      summary: "A workload's OpenID Connect token for a caller token of ten minutes (RFC 8693 token exchange)",
      who: 'open',
      form: true,
      body: tokenExchangeSchema,
      answers: { 200: { description: 'A caller token, bound to what the workload token said', schema: exchangedTokenSchema } },
      problems: ['unauthenticated', 'unavailable'],
      async handle({ body, from }) {
        if (workloads === undefined) return trouble('unauthenticated', 'No issuer of workload tokens is trusted here.');
        const exchanged = await exchangeToken(
          { workloads, callers, record: (tenant, leaf) => flow.requests.record(tenant, [leaf]), clock: flow.clock, entropy: flow.entropy, sealer: flow.sealer },
          body.subject_token,
          from,
        );
        switch (exchanged.kind) {
          case 'refused':
            return trouble('unauthenticated', exchanged.detail);
          case 'try_later':
            return trouble('unavailable', exchanged.detail, { headers: { 'Retry-After': String(exchanged.retry_after_seconds) } });
          case 'exchanged': {
            flow.announcer.announce('decisions');
            const { id, name } = exchanged.caller;
            return {
              status: 200,
              json: {
                access_token: exchanged.token,
                issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
                token_type: 'Bearer',
                expires_in: exchanged.expires_in,
                caller: { id, name },
              },
            };
          }
        }
      },
    }),
  ];
}
