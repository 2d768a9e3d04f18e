import type { EvaluationAnswer, EvaluationView, Submission } from '@countersign/contracts';
import type { Caller } from '../ports.js';
import { agentProblem } from '../decision/index.js';
import type { CompiledBundle, Evaluation, PolicyInput } from '../policy/index.js';
import { checkRights } from '../request/index.js';
import type { FlowDeps } from './deps.js';
import { explanationOf } from './explain.js';
import { chainKeyOf, environmentMismatch, joinExplanation, maskSubmission, type NotAllowed, policyInput, requesterOf, tighten } from './open.js';
import { newRecordKey } from './record-key.js';
import { digestOfAction } from './settle.js';

export type EvaluateOutcome = { kind: 'evaluated'; answer: EvaluationAnswer } | NotAllowed;

/** What policy would say of a request now, by the same road as opening it; nothing is opened or recorded. */
export async function evaluate(deps: FlowDeps, caller: Caller, submission: Submission): Promise<EvaluateOutcome> {
  const rights = checkRights(submission, caller);
  if ('code' in rights) return { kind: 'not_allowed', ...rights };
  const chain_key = chainKeyOf(caller, submission);
  const context = await deps.requests.openingContext({
    tenant: caller.tenant,
    agent_id: submission.actor.id,
    refs: [],
    ...(chain_key === null ? {} : { chain_key }),
  });
  const refused = agentProblem(submission, context.agent);
  if (refused !== null) return { kind: 'not_allowed', ...refused };
  const bundle = await deps.policies.bundle(caller.tenant, context.active_policy);
  const at = deps.clock.now();
  const input = policyInput(submission, rights.environment, at, requesterOf(caller));
  const evaluation = await evaluateNow(deps, caller.tenant, bundle, {
    ...input,
    ...(context.chain === undefined ? {} : { chain: { reversibility: context.chain } }),
  });
  const mismatch = environmentMismatch(evaluation);
  if (mismatch !== null) return mismatch;
  const shown = maskSubmission(submission, evaluation, newRecordKey(deps.entropy));
  const judged = tighten(evaluation, shown, bundle).evaluation;
  const view: EvaluationView = {
    effect: judged.effect,
    rules: judged.rules,
    policy_digest: bundle.digest,
    explanation: joinExplanation(judged.explanation, shown.view),
  };
  return {
    kind: 'evaluated',
    answer: {
      evaluation: view,
      requirement: judged.requirement,
      resolved: {
        labels: judged.resolved.labels,
        environment: judged.resolved.environment ?? null,
        reversibility: judged.resolved.reversibility,
      },
      action_digest: digestOfAction(submission),
      explanation: explanationOf({ bundle, evaluation, judged: view, at, view: shown.view, masked: shown.result.report }),
    },
  };
}

/** With the limits that are used up; each round finds others at most, and there are no more than rules. */
async function evaluateNow(deps: Pick<FlowDeps, 'requests'>, tenant: string, bundle: CompiledBundle, input: PolicyInput): Promise<Evaluation> {
  const exceeded = new Set<string>();
  for (;;) {
    const evaluation = bundle.evaluate(exceeded.size === 0 ? input : { ...input, exceeded: [...exceeded].toSorted() });
    const used = evaluation.limits.length === 0 ? [] : await deps.requests.usedUp(tenant, evaluation.limits);
    if (used.every((rule) => exceeded.has(rule))) return evaluation;
    for (const rule of used) exceeded.add(rule);
  }
}
