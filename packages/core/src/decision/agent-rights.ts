import type { Submission } from '@countersign/contracts';
import type { Agent } from '../ports.js';
import { covers } from '../request/index.js';

/** Why an agent may not ask for this; `pointer` says which field (RFC 6901). */
export interface AgentProblem {
  code: 'actor_not_allowed' | 'action_not_allowed';
  pointer: string;
  text: string;
}

/** Holds a submission against the directory's entry of the agent that acts; null where it may ask, or where the directory has no such agent. */
export function agentProblem(submission: Submission, agent: Agent | null): AgentProblem | null {
  if (agent === null) return null;
  if (!agent.active) return { code: 'actor_not_allowed', pointer: '/actor/id', text: 'The directory says that this agent is not active.' };
  const { actions, purposes } = agent;
  if (actions != null && !covers(actions, submission.action)) {
    return { code: 'action_not_allowed', pointer: '/action', text: 'The directory does not let this agent ask for this action.' };
  }
  if (purposes != null && (submission.purpose === undefined || !covers(purposes, submission.purpose))) {
    const named = submission.purpose === undefined ? 'A purpose is needed' : 'The directory does not let this agent act for this purpose';
    return { code: 'action_not_allowed', pointer: '/purpose', text: `${named}: this agent has ${purposes.join(', ') || 'none'}.` };
  }
  return null;
}

/** What people are warned of before they decide what such an agent asks. */
export function agentWarnings(agent: Agent | null): string[] {
  return agent?.risk === 'high' || agent?.risk === 'critical' ? [`The directory calls this agent's risk ${agent.risk}.`] : [];
}
