import type { RequestState } from '../ports.js';
import type { FlowDeps } from './deps.js';
import { openPayload } from './record-key.js';
import { requirementNow } from './requirement-now.js';

/**
 * A waiting request with what it needs by the policy in force: where that is more than what was pinned, its cards ask for that and say
 * why, so that the approver knows before the press. What was pinned, and its digests, stay what they are.
 */
export async function asOfNow(deps: FlowDeps, state: RequestState): Promise<RequestState> {
  const { request } = state;
  if (request.status !== 'pending' || request.requirement === null) return state;
  const active = (await deps.requests.decidingContext({ tenant: request.tenant, request_id: request.id, person_id: null }))?.active_policy;
  if (active === undefined || active === request.policy_digest) return state;
  const judged = requirementNow(deps, state, await openPayload(deps.sealer, request), await deps.policies.bundle(request.tenant, active));
  const told = (warning: string): RequestState => ({ ...state, request: { ...request, warnings: [warning, ...request.warnings] } });
  if ('kind' in judged) return told(`The policy changed since this was asked, and denies it now: it cannot be approved. ${judged.text}`);
  if (JSON.stringify(judged.requirement) === JSON.stringify(request.requirement)) return state;
  const { warnings } = told('The policy changed since this was asked, and needs more now. What is needed now is shown.').request;
  return { ...state, request: { ...request, requirement: judged.requirement, warnings } };
}
