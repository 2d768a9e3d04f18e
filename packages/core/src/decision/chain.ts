import type { Submission } from '@countersign/contracts';
import type { Agent, Caller, ChainLink, OpeningContext, Person } from '../ports.js';
import { foldRef, mailboxOf, mayBeOne } from './mailbox.js';

/**
 * The humans behind a request: the person who acts, the one on whose behalf an agent acts, the agent's owner or the members of the
 * group that owns it, the API key's owner, and who started the run. Computed once at submit and stored; none of them may decide it, by
 * any road (C4, I3).
 *
 * @param rules from the bundle: whether all members of an owner group stand behind what the agent asks
 */
export function chainOf(
  submission: Submission,
  caller: Caller,
  { agent, people, owner_group: members = [] }: Pick<OpeningContext, 'agent' | 'people' | 'owner_group'>,
  rules: { owner_groups: boolean } = { owner_groups: true },
): ChainLink[] {
  const { actor } = submission;
  return [
    ...(actor.type === 'person' ? [linkTo('actor', actor.id, people)] : []),
    ...(actor.on_behalf_of === undefined ? [] : [linkTo('on_behalf_of', actor.on_behalf_of.id, people)]),
    ...ownersOf(agent, people, members, rules),
    linkTo('key_owner', caller.owner, people),
    ...(caller.human == null ? [] : [linkTo('token_human', caller.human, people)]),
  ];
}

/**
 * The link through which a person stands behind the request; null when the person does not. Any of the human's entries, and any
 * spelling of any address that is or was theirs, counts.
 */
export function linkOf(chain: readonly ChainLink[], person: Person): ChainLink | null {
  const ids = entriesOf(person);
  const addresses = [person.email, ...(person.aliases ?? [])];
  return (
    chain.find(
      ({ role, person_id, ref, members }) =>
        (person_id !== null && ids.includes(person_id)) ||
        members?.some((id) => ids.includes(id)) === true ||
        (role === 'owner_group' ? person.groups.includes(ref) : ids.includes(foldRef(ref)) || addresses.some((address) => mayBeOne(address, ref))),
    ) ?? null
  );
}

/**
 * The link through which a person stands behind the request when it was opened, or does today: the agent or the key may have another
 * owner since, who decides no more than the one before.
 */
export function linkNow(
  { request, today }: { request: { chain: readonly ChainLink[] }; today?: { agent: Agent | null; key_owner: string | null } | undefined },
  person: Person,
): ChainLink | null {
  const earlier = linkOf(request.chain, person);
  if (earlier !== null || today === undefined) return earlier;
  const since = [...ownersOf(today.agent, [], [], { owner_groups: true }), ...(today.key_owner === null ? [] : [linkTo('key_owner', today.key_owner, [])])];
  return linkOf(since, person);
}

/** What the directory says today, without the group that owns the agent where the policy in force says that its members do not stand behind what it asks. */
export function todayUnder<Context extends { today?: { agent: Agent | null; key_owner: string | null } }>(
  context: Context,
  rules: { owner_groups: boolean },
): Context {
  const { today } = context;
  if (rules.owner_groups || today?.agent == null) return context;
  return { ...context, today: { ...today, agent: { ...today.agent, owner_group: null } } };
}

/** Whether the request names the person itself, spelled as it is: what lets them read it. Who merely may be one of them is not told of it. */
export function namedIn(chain: readonly ChainLink[], person: Person): boolean {
  const ids = entriesOf(person);
  return chain.some(
    ({ person_id, ref, members }) =>
      (person_id !== null && ids.includes(person_id)) || members?.some((id) => ids.includes(id)) === true || (person_id === null && names(person, ref)),
  );
}

/** The ids of all entries of the human, sorted; the first stands for the human where humans are counted. */
export function entriesOf(person: Pick<Person, 'id' | 'entries'>): string[] {
  return person.entries ?? [person.id];
}

/** One id per human, whichever of their entries acts. */
export function humanOf(person: Pick<Person, 'id' | 'entries'>): string {
  return entriesOf(person)[0] ?? person.id;
}

function ownersOf(agent: Agent | null, people: readonly Person[], members: readonly string[], rules: { owner_groups: boolean }): ChainLink[] {
  if (agent === null) return [];
  const { owner, owner_group } = agent;
  return [
    ...(owner === null ? [] : [linkTo('agent_owner', owner, people)]),
    ...(owner_group == null || !rules.owner_groups
      ? []
      : [{ role: 'owner_group' as const, person_id: null, ref: owner_group, name: owner_group, members: members.toSorted() }]),
  ];
}

function linkTo(role: ChainLink['role'], ref: string, people: readonly Person[]): ChainLink {
  const named = people.filter((candidate) => names(candidate, ref));
  const person = named.find(({ active }) => active) ?? named[0] ?? people.find((candidate) => reaches(candidate, ref));
  return { role, ref, person_id: person?.id ?? null, name: person?.name ?? ref };
}

/** Whether a reference (an id or an e-mail address, in any case) names the person. */
function names(person: Person, ref: string): boolean {
  const wanted = foldRef(ref);
  return wanted === foldRef(person.id) || wanted === foldRef(person.email);
}

/** Whether a reference is another spelling of an address of the person's. */
function reaches(person: Person, ref: string): boolean {
  const wanted = mailboxOf(ref);
  return [person.email, ...(person.aliases ?? [])].some((address) => mailboxOf(address) === wanted);
}
