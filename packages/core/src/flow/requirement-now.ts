import type { Requirement } from '@countersign/contracts';
import { type Refusal, refusals } from '../decision/index.js';
import { type CompiledBundle, mergeRequirements } from '../policy/index.js';
import type { RequestState } from '../ports.js';
import type { FlowDeps } from './deps.js';
import { isInternal } from './internal.js';
import { policyInput } from './open.js';
import type { OpenPayload } from './record-key.js';
import { tooLate } from './settle.js';

/**
 * What is needed now: the requirement pinned at submit, and where another bundle is in force, the stricter of both. What
 * the bundle in force denies is not approved; where it would let the action pass, the pinned requirement stands (I3).
 */
export function requirementNow(
  deps: Pick<FlowDeps, 'clock'>,
  { request, ...rest }: RequestState,
  payload: OpenPayload,
  current: CompiledBundle,
): { requirement: Requirement } | Refusal {
  const pinned = request.requirement;
  if (pinned === null) return tooLate({ request, ...rest }, null);
  // Of Countersign's own configuration no bundle speaks.
  if (current.digest === request.policy_digest || isInternal(request)) return { requirement: pinned };
  const evaluation = current.evaluate({
    ...policyInput(payload.submission, request.resolved.environment, deps.clock.now(), request.requester),
    // The highest class of its chain was settled when it was opened.
    chain: { reversibility: request.resolved.reversibility },
  });
  if (evaluation.effect === 'deny') return refusals.policyChanged(`rule ${evaluation.rules.join(', ')}`);
  return { requirement: evaluation.requirement === null ? pinned : mergeRequirements(pinned, evaluation.requirement) };
}
