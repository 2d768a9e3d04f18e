import { instantMillis } from './bundle/schema-parts.js';
import type { PolicyTest } from './bundle/schema.js';
import type { PolicyInput } from './types.js';

/** A Thursday at noon, in UTC. */
const NOW = '2026-01-01T12:00:00.000Z';

/** The request of a test in a bundle, with what it leaves out filled in: a resource that no catalogue has, and an agent. */
export function inputOfTest({ request, now, caller, verified, exceeded }: PolicyTest): PolicyInput {
  const { resource = { type: 'unnamed', id: 'unnamed' }, actor = { type: 'agent', id: 'unnamed' }, ...rest } = request;
  return {
    ...rest,
    resource,
    actor,
    now: now === undefined ? NOW : new Date(instantMillis(now)).toISOString(),
    ...(caller === undefined
      ? {}
      : {
          caller: { type: caller.type ?? 'api_key', id: caller.id, name: caller.name ?? caller.id, issuer: caller.issuer ?? '', claims: caller.claims ?? {} },
        }),
    ...(verified === undefined ? {} : { verified }),
    ...(exceeded === undefined ? {} : { exceeded }),
  };
}
