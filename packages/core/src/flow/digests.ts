import { entriesOf } from '../decision/index.js';
import type { DigestPlan, DigestSlot } from '../policy/index.js';
import type { DigestStore, DirectoryStore, Person, PolicyStore, RequestState, RequestStore } from '../ports.js';
import { canonicalJson, type Instant } from '../request/index.js';
import type { FlowDeps } from './deps.js';
import { noticeOf } from './notices.js';
import { isNeeded } from './waiting.js';

export interface DigestDeps extends Pick<FlowDeps, 'policies' | 'entropy' | 'announcer'> {
  requests: Pick<RequestStore, 'list'>;
  digests: Pick<DigestStore, 'made' | 'make' | 'skip'>;
  directory: Pick<DirectoryStore, 'look' | 'people'>;
  activePolicy: Pick<PolicyStore, 'active'>;
}

/** More than anybody reads; what is beyond is in the inbox. */
const MOST_WAITING = 200;

/** What waits for a person, the nearest end first; at most 200. */
export async function waitingRequests(deps: { requests: Pick<RequestStore, 'list'> }, tenant: string, person: Person): Promise<RequestState[]> {
  const reader = { kind: 'person' as const, person_id: person.id, groups: person.groups, ...(person.lent === undefined ? {} : { lent: person.lent }) };
  const states = await deps.requests.list(tenant, { status: 'pending', limit: MOST_WAITING, reader });
  return states.filter((state) => isNeeded(state, person)).sort((a, b) => (a.request.expires_at < b.request.expires_at ? -1 : 1));
}

/**
 * Makes the digests that are due by the database's clock, as notices: one for each recipient of a day and time, whichever process comes first.
 * Nobody gets one for whom less waits than policy says.
 * @param now the time of the database
 * @returns how many were made
 */
export async function makeDigests(deps: DigestDeps, tenant: string, now: string): Promise<number> {
  const active = await deps.activePolicy.active(tenant);
  if (active === null) return 0;
  const bundle = await deps.policies.bundle(tenant, active.digest);
  let count = 0;
  for (const plan of bundle.digests) {
    const slot = plan.dueAt(Date.parse(now));
    if (slot === null) continue;
    const members = await membersOf(deps, tenant, [...new Set(plan.groups.flatMap((group) => [group, ...bundle.partsOf(group)]))]);
    count += await makeSlot(deps, { tenant, plan, slot, members, now: now as Instant }); // what the database answers is an instant
  }
  if (count > 0) deps.announcer.announce('cards');
  return count;
}

async function makeSlot(
  deps: DigestDeps,
  { tenant, plan, slot, members, now }: { tenant: string; plan: DigestPlan; slot: DigestSlot; members: readonly Person[]; now: Instant },
): Promise<number> {
  const made = await deps.digests.made(tenant, [slot]);
  let count = 0;
  for (const person of members) {
    const recipient = entriesOf(person)[0] ?? person.id;
    if (made.has(`${slot} ${recipient}`)) continue;
    made.add(`${slot} ${recipient}`);
    const waiting = await waitingRequests(deps, tenant, person);
    if (waiting.length < plan.at_least) {
      await deps.digests.skip({ tenant, slot, recipient });
      continue;
    }
    const text = waiting.length === 1 ? 'One request waits for you.' : `${waiting.length} requests wait for you.`;
    if (await deps.digests.make({ tenant, slot, recipient, notice: noticeOf(deps, null, 'digest', now, { people: [person.id], text }) })) count += 1;
  }
  for (const channel of plan.channels) {
    const recipient = canonicalJson(channel);
    if (made.has(`${slot} ${recipient}`)) continue;
    // What stands in a channel only its platform knows: nothing is said there where too little does.
    const notice = noticeOf(deps, null, 'digest', now, { channels: [channel], text: 'What waits here.' });
    if (await deps.digests.make({ tenant, slot, recipient, notice })) count += 1;
  }
  return count;
}

async function membersOf(deps: DigestDeps, tenant: string, groups: readonly string[]): Promise<Person[]> {
  if (groups.length === 0) return [];
  const ids = [...new Set((await deps.directory.look(tenant, { groups })).groups.flatMap(({ members }) => members))];
  return ids.length === 0 ? [] : (await deps.directory.people(tenant, ids)).filter(({ active }) => active);
}
