import type { Submission } from '@countersign/contracts';
import type { Agent, Caller, ChainLink, Person } from '../ports.js';

/**
 * The humans behind a request: the person who acts, the one on whose behalf an agent acts, the agent's owner and the
 * API key's owner. Computed once at submit and stored; none of them may decide it, by any road (C4, I3).
 */
export function chainOf(submission: Submission, caller: Caller, agent: Agent | null, people: readonly Person[]): ChainLink[] {
  const link = (role: ChainLink['role'], ref: string): ChainLink => {
    const person = people.find((candidate) => names(candidate, ref));
    return { role, ref, person_id: person?.id ?? null, name: person?.name ?? ref };
  };
  const { actor } = submission;
  return [
    ...(actor.type === 'person' ? [link('actor', actor.id)] : []),
    ...(actor.on_behalf_of === undefined ? [] : [link('on_behalf_of', actor.on_behalf_of.id)]),
    ...(agent?.owner == null ? [] : [link('agent_owner', agent.owner)]),
    link('key_owner', caller.owner),
  ];
}

/** The link through which a person stands behind the request; null when the person does not. */
export function linkOf(chain: readonly ChainLink[], person: Person): ChainLink | null {
  return chain.find((link) => link.person_id === person.id || names(person, link.ref)) ?? null;
}

/** Whether a reference (an id or an e-mail address, in any case) names the person. */
function names(person: Person, ref: string): boolean {
  const wanted = fold(ref);
  return wanted === fold(person.id) || wanted === fold(person.email);
}

const fold = (text: string): string => text.normalize('NFKC').trim().toLowerCase();
