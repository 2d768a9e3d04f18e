import type { Mount } from '@countersign/service';
import type { IntakeDeps } from './deps.js';
import type { Route } from './http/route.js';
import { createRouter } from './http/router.js';
import { openApiOf } from './openapi.js';
import { actionRequestRoutes } from './routes/action-requests.js';
import { callerRoutes } from './routes/callers.js';
import { decisionRoutes } from './routes/decisions.js';
import { deliveryRoutes } from './routes/deliveries.js';
import { discoveryRoutes } from './routes/discovery.js';
import { grantRoutes } from './routes/grants.js';
import { keyRoutes } from './routes/keys.js';
import { endpointRoutes } from './routes/endpoints.js';
import { ledgerRoutes } from './routes/ledger.js';
import { liveRoutes } from './routes/live.js';
import { operationRoutes } from './routes/operations.js';
import { passkeyRoutes } from './routes/passkeys.js';
import { peopleRoutes } from './routes/people.js';
import { stepUpRoutes } from './routes/step-up.js';

/**
 * The HTTP API. It is thin: it says who asks, whether the body fits and who may see what; the flows of core do the work.
 * Held requests and streams end with the service's own shutdown, which each request's signal tells them of.
 */
export function createIntake(deps: IntakeDeps): { mount(): Mount } {
  const routes: Route[] = [
    ...actionRequestRoutes(deps),
    ...decisionRoutes(deps),
    ...grantRoutes(deps),
    ...callerRoutes(deps),
    ...peopleRoutes(deps),
    ...passkeyRoutes(deps),
    ...stepUpRoutes(deps),
    ...operationRoutes(deps),
    ...endpointRoutes(deps),
    ...deliveryRoutes(deps),
    ...liveRoutes(deps),
    ...keyRoutes(deps),
    ...ledgerRoutes(deps),
    ...discoveryRoutes(deps, () => openApi),
  ];
  const openApi = openApiOf(routes, deps.flow.publicUrl);
  const router = createRouter(deps, routes);
  return {
    mount: () => ({
      name: 'intake',
      paths: ['/v1', '/v1/', '/ledger/', '/.well-known/jwks.json', '/openapi.json'],
      handler: (request, response) => void router(request, response),
    }),
  };
}
