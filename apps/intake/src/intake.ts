import type { Mount } from '@countersign/service';
import type { IntakeDeps } from './deps.js';
import type { Route } from './http/route.js';
import { createRouter } from './http/router.js';
import { openApiOf } from './openapi.js';
import { actionRequestRoutes } from './routes/action-requests.js';
import { apiKeyRoutes } from './routes/api-keys.js';
import { chatPlaceRoutes } from './routes/chat-places.js';
import { callerRoutes } from './routes/callers.js';
import { configChangeRoutes } from './routes/config-changes.js';
import { decisionRoutes } from './routes/decisions.js';
import { delegationRoutes } from './routes/delegations.js';
import { exchangeRoutes } from './routes/exchange.js';
import { reviewRoutes } from './routes/reviews.js';
import { deliveryRoutes } from './routes/deliveries.js';
import { discoveryRoutes } from './routes/discovery.js';
import { freezeRoutes } from './routes/freezes.js';
import { grantRoutes } from './routes/grants.js';
import { keyRoutes } from './routes/keys.js';
import { endpointRoutes } from './routes/endpoints.js';
import { ledgerRoutes } from './routes/ledger.js';
import { liveRoutes } from './routes/live.js';
import { patternRoutes } from './routes/patterns.js';
import { policyRoutes } from './routes/policies.js';
import { passkeyRoutes } from './routes/passkeys.js';
import { linkRoutes } from './routes/links.js';
import { mailLinkRoutes } from './routes/mail-links.js';
import { peopleRoutes } from './routes/people.js';
import { sessionRoutes } from './routes/sessions.js';
import { signInRoutes } from './routes/sign-in.js';
import { slackRoutes } from './routes/slack.js';
import { tokenRoutes } from './routes/tokens.js';
import { workloadTokenRoutes } from './routes/workload-token.js';
import { stepUpRoutes } from './routes/step-up.js';
import { unmaskRoutes } from './routes/unmask.js';
import { directoryRoutes } from './routes/directory.js';
import { scimTokenRoutes } from './routes/scim-tokens.js';
import { createScim } from './scim/scim-app.js';
import type { ScimRoute } from './scim/route.js';

/**
 * The HTTP API. It is thin: it says who asks, whether the body fits and who may see what; the flows of core do the work.
 * Held requests and streams end with the service's own shutdown, which each request's signal tells them of.
 */
export function createIntake(deps: IntakeDeps): { mount(): Mount; routes: readonly Route[]; scimRoutes: readonly ScimRoute[] } {
  const routes: Route[] = [
    // Before the sessions by id: /v1/sessions/step-up is no session's name.
    ...stepUpRoutes(deps),
    ...actionRequestRoutes(deps),
    ...decisionRoutes(deps),
    ...exchangeRoutes(deps),
    ...reviewRoutes(deps),
    ...delegationRoutes(deps),
    ...grantRoutes(deps),
    ...callerRoutes(deps),
    ...apiKeyRoutes(deps),
    ...workloadTokenRoutes(deps),
    ...peopleRoutes(deps),
    ...signInRoutes(deps),
    ...sessionRoutes(deps),
    ...tokenRoutes(deps),
    ...linkRoutes(deps),
    ...mailLinkRoutes(deps),
    ...chatPlaceRoutes(deps),
    ...slackRoutes(deps),
    ...passkeyRoutes(deps),
    ...unmaskRoutes(deps),
    ...directoryRoutes(deps),
    ...scimTokenRoutes(deps),
    ...policyRoutes(deps),
    ...endpointRoutes(deps),
    ...deliveryRoutes(deps),
    ...liveRoutes(deps),
    ...keyRoutes(deps),
    ...freezeRoutes(deps),
    ...configChangeRoutes(deps),
    ...patternRoutes(deps),
    ...ledgerRoutes(deps),
    ...discoveryRoutes(deps, () => openApi),
  ];
  const openApi = openApiOf(routes, deps.flow.publicUrl);
  const router = createRouter(deps, routes);
  const scim = createScim(deps);
  const scimMount = scim.mount();
  return {
    routes,
    scimRoutes: scim.routes,
    mount: () => ({
      name: 'intake',
      paths: ['/v1', '/v1/', '/ledger/', '/.well-known/jwks.json', '/openapi.json', ...scimMount.paths],
      handler: (request, response) => (request.url?.startsWith('/scim/') === true ? scimMount.handler(request, response) : void router(request, response)),
    }),
  };
}
