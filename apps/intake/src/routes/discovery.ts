import type { IntakeDeps } from '../deps.js';
import { type Answer, type Route, route } from '../http/route.js';

/** What programs read to find their way: our public keys, and this API's description. */
export function discoveryRoutes(deps: Pick<IntakeDeps, 'jwks'>, openApi: () => object): Route[] {
  return [
    route({
      method: 'get',
      path: '/.well-known/jwks.json',
      name: 'publicKeys',
      tag: 'Service',
      summary: 'The public keys of grants, callbacks and checkpoints (RFC 7517)',
      who: 'open',
      answers: { 200: { description: 'A JWK Set; retired keys stay in it', type: 'application/jwk-set+json' } },
      async handle(): Promise<Answer> {
        const bytes = new TextEncoder().encode(JSON.stringify(await deps.jwks()));
        return { status: 200, bytes, type: 'application/jwk-set+json', headers: { 'Cache-Control': 'public, max-age=300' } };
      },
    }),
    route({
      method: 'get',
      path: '/openapi.json',
      name: 'openApi',
      tag: 'Service',
      summary: 'This description',
      who: 'open',
      answers: { 200: { description: 'OpenAPI 3.1', type: 'application/json' } },
      handle: async () => ({ status: 200, json: openApi(), headers: { 'Cache-Control': 'public, max-age=300' } }),
    }),
  ];
}
