import type { FreezeBody, FreezeScope, FreezeView, JsonObject } from '@countersign/contracts';
import { chainOf, entriesOf, linkOf } from '../decision/index.js';
import type { Caller, CredentialStore, FreezeRecord, FreezeStore, Person } from '../ports.js';
import { epochMs, formatInstant, type Instant, newId } from '../request/index.js';
import { loneLeaf } from './lone-leaf.js';
import type { FlowDeps } from './deps.js';

/** What the kill switch needs of the world. */
export type FreezeDeps = Pick<FlowDeps, 'requests' | 'policies' | 'sealer' | 'clock' | 'entropy' | 'announcer'> & {
  freezes: FreezeStore;
  credentials: Pick<CredentialStore, 'apiKey'>;
};

/** Who may freeze besides administrators, and who may lift besides them: groups of the directory, or what the policy in force makes of others. */
const FREEZERS = 'freezers';
const FREEZE_LIFTERS = 'freeze_lifters';

export type FreezeRefusal = {
  kind: 'not_allowed';
  code: 'forbidden' | 'second_person_needed' | 'already_lifted' | 'not_found' | 'invalid_body';
  text: string;
};
const not = (code: FreezeRefusal['code'], text: string): FreezeRefusal => ({ kind: 'not_allowed', code, text });

/** A person by a credential of their own; callers are refused before. */
interface By {
  tenant: string;
  person: Person;
}

/**
 * Freezes at once. When this resolves, no commit that would let something held open, be approved, get a grant or be redeemed happens any
 * more, in any process; denying, cancelling and revoking go on (A6).
 */
export async function placeFreeze(
  deps: FreezeDeps,
  by: By,
  body: FreezeBody,
): Promise<{ kind: 'placed'; freeze: FreezeRecord; holds: number } | FreezeRefusal> {
  if (!isAdministrator(by.person) && !(await isIn(deps, by, FREEZERS))) {
    return not('forbidden', `Freezing is for administrators and members of "${FREEZERS}".`);
  }
  const at = deps.clock.now();
  const expires_at = body.expires_at === undefined ? null : formatInstant(Date.parse(body.expires_at));
  if (expires_at !== null && expires_at <= at) return not('invalid_body', 'The freeze would be over already: expires_at is in the past.');
  const freeze: FreezeRecord = {
    tenant: by.tenant,
    id: newId('fz', at, deps.entropy.bytes(10)),
    scope: body.scope,
    actor_people: await peopleOf(deps, by.tenant, body.scope),
    reason: body.reason,
    placed_by: viewOf(by.person),
    placed_at: at,
    expires_at,
    lifted_at: null,
    lifted_by: null,
    lift_reason: null,
  };
  const { holds } = await deps.freezes.place(
    freeze,
    await loneLeaf(deps, {
      event: 'freeze.placed',
      at,
      tenant: by.tenant,
      subject: freeze.id,
      // Who is frozen may be a person: which members the scope has is no secret, their values are.
      facts: { scope: Object.keys(body.scope).toSorted(), expires_at },
      details: { scope: plainScope(body.scope), people: freeze.actor_people, reason: body.reason, by: { ...freeze.placed_by } },
    }),
  );
  deps.announcer.announce('cards');
  deps.announcer.announce('decisions');
  return { kind: 'placed', freeze, holds };
}

/**
 * Lifts a freeze: a second person does, an administrator or a member of the groups that may. Not whoever placed it, under any entry of
 * theirs; where it names an actor or a caller, nobody who stands behind that one.
 */
export async function liftFreeze(
  deps: FreezeDeps,
  by: By,
  id: string,
  reason: string | null,
): Promise<{ kind: 'lifted'; freeze: FreezeRecord } | FreezeRefusal> {
  const freeze = await deps.freezes.get(by.tenant, id);
  if (freeze === null) return not('not_found', 'There is no such freeze.');
  if (!isAdministrator(by.person) && !(await isIn(deps, by, FREEZE_LIFTERS))) {
    return not('forbidden', `Lifting a freeze is for administrators and members of "${FREEZE_LIFTERS}".`);
  }
  // With every entry and address of the same human.
  const { people } = await deps.requests.openingContext({ tenant: by.tenant, agent_id: '', refs: [by.person.id] });
  const full = people.find((person) => person.id === by.person.id) ?? by.person;
  if (entriesOf(full).includes(freeze.placed_by.id)) return not('second_person_needed', 'You placed this freeze. Somebody else has to lift it.');
  const behind = await standsBehind(deps, by.tenant, freeze.scope, full);
  if (behind) return not('second_person_needed', 'You stand behind what is frozen. Somebody else has to lift it.');
  if (stateOfFreeze(freeze, deps.clock.now()) !== 'in_force') return not('already_lifted', 'This freeze is not in force any more.');
  const at = deps.clock.now();
  const person = viewOf(by.person);
  const leaf = await loneLeaf(deps, {
    event: 'freeze.lifted',
    at,
    tenant: by.tenant,
    subject: id,
    facts: {},
    details: { by: { ...person }, reason },
  });
  const { changed } = await deps.freezes.lift({ tenant: by.tenant, id, at, by: person, reason, leaf });
  if (!changed) return not('already_lifted', 'This freeze is not in force any more.');
  deps.announcer.announce('cards');
  deps.announcer.announce('decisions');
  return { kind: 'lifted', freeze: { ...freeze, lifted_at: at, lifted_by: person, lift_reason: reason } };
}

/** Records the end of a freeze whose time is over: it held nothing since then. */
export async function endFreeze(
  deps: Pick<FreezeDeps, 'freezes' | 'sealer' | 'clock' | 'entropy' | 'announcer'>,
  { tenant, id }: { tenant: string; id: string },
): Promise<boolean> {
  const at = deps.clock.now();
  const leaf = await loneLeaf(deps, { event: 'freeze.ended', at, tenant, subject: id, facts: {}, details: {} });
  const { changed } = await deps.freezes.lift({ tenant, id, at, by: null, reason: null, leaf });
  if (changed) deps.announcer.announce('cards');
  return changed;
}

export function stateOfFreeze(freeze: Pick<FreezeRecord, 'lifted_at' | 'lifted_by' | 'expires_at'>, now: Instant): FreezeView['state'] {
  if (freeze.lifted_at !== null) return freeze.lifted_by === null ? 'over' : 'lifted';
  return freeze.expires_at !== null && epochMs(freeze.expires_at as Instant) <= epochMs(now) ? 'over' : 'in_force';
}

/** As answers show it. */
export function freezeView(freeze: FreezeRecord, now: Instant): FreezeView {
  const { id, scope, reason, placed_by, placed_at, expires_at, lifted_at, lifted_by, lift_reason } = freeze;
  return { id, scope, reason, placed_by, placed_at, expires_at, state: stateOfFreeze(freeze, now), lifted_at, lifted_by, lift_reason };
}

/** Every entry of the human whom a scope names, by whichever of their addresses. */
async function peopleOf(deps: FreezeDeps, tenant: string, scope: FreezeScope): Promise<string[]> {
  if ('everything' in scope || scope.actor === undefined) return [];
  const { people } = await deps.requests.openingContext({ tenant, agent_id: '', refs: [scope.actor] });
  return [...new Set(people.flatMap((person) => entriesOf(person)))].toSorted();
}

const isAdministrator = (person: Person): boolean => person.roles.includes('administrator');
const viewOf = ({ id, email, name }: Person) => ({ id, email, name });

/** Whether the person is in the group, or in one that the group includes by the policy in force. */
async function isIn(deps: FreezeDeps, { tenant, person }: By, group: string): Promise<boolean> {
  const { active_policy } = await deps.requests.openingContext({ tenant, agent_id: '', refs: [] });
  const bundle = await deps.policies.bundle(tenant, active_policy);
  return bundle.expandGroups(person.groups).includes(group);
}

/** Whether the person is, owns, or answers for the actor or the caller that a freeze names. */
async function standsBehind(deps: FreezeDeps, tenant: string, scope: FreezeScope, person: Person): Promise<boolean> {
  if ('everything' in scope) return false;
  const owner = scope.caller === undefined ? undefined : (await deps.credentials.apiKey(tenant, scope.caller))?.owner;
  const named = [scope.actor, owner].filter((ref) => ref !== undefined);
  for (const ref of named) {
    const context = await deps.requests.openingContext({ tenant, agent_id: ref, refs: [ref] });
    // The chain of a request that this actor would make by itself: the agent's owner, and the person where it is one.
    // Of a caller, chainOf reads the owner alone.
    const chain = chainOf({ action: '', resource: { type: '', id: '' }, actor: { type: 'person', id: ref } }, { owner: ref } as Caller, context);
    if (linkOf(chain, person) !== null) return true;
  }
  return false;
}

const plainScope = (scope: FreezeScope): JsonObject => Object.fromEntries(Object.entries(scope).filter(([, value]) => value !== undefined));
