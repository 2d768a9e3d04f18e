import type { Channel } from '@countersign/contracts';
import { linkOf } from '@countersign/core/decision';
import type { OnDuty } from '@countersign/core/policy';
import type { ActionRequestRecord, ChatAccount, Person, PlatformName, ReachablePerson } from '@countersign/core/ports';
import { isAskedOf } from './audience.js';
import type { Addressee } from '../message.js';

/** One place that policy means, by the words of policy and directory; the platform resolves it. */
export type Destination =
  | { kind: 'channel'; name: string }
  /** Where one account alone reads; of the e-mail platform `user` is the address. */
  | { kind: 'account'; account: Addressee; person_id: string };

/** Where one channel of policy leads on a platform: it is served once something was shown at one of its destinations. */
export interface Route {
  destinations: Destination[];
}

/** What policy names and nobody can be told by, on any platform. */
export interface RoutingProblem {
  target: string;
  /** For operators. */
  text: string;
  /** It is so for other requests too, until somebody mends it. */
  lasting: boolean;
}

/** Where the cards of a request go on one platform. */
export interface Routes {
  routes: Route[];
  /** The platform's standing places get it too: policy names none, or something that it names tells nobody. */
  standing: boolean;
  problems: RoutingProblem[];
  /** What policy names for this request and leads somewhere: failures of it are over. */
  sound: string[];
}

/** What is known of the world when the places of a request are looked for. */
export interface RoutingFacts {
  platform: PlatformName;
  /** Those that were connected. */
  platforms: readonly PlatformName[];
  /** Who is reached by the groups and persons that the channels lead to. */
  people: readonly ReachablePerson[];
  /** The groups whose members are members of this one too. */
  partsOf(group: string): readonly string[];
  /** By schedule, who is on call; or why that is not known. */
  onCall: ReadonlyMap<string, readonly OnDuty[] | { failed: string }>;
  /** In milliseconds since 1970. */
  now: number;
}

/**
 * Where the cards of a request go on a platform. Policy's channels that name a conversation of the platform; for private messages the accounts of
 * the people whom they mean, on every platform where a person has one, and by e-mail where a person has none. Who stands behind the request gets
 * none. Where policy names nothing, or something that tells nobody, the platform's standing places get the card: a request that waits is shown to
 * somebody wherever somebody can be told. Where a card is shown never changes who may decide.
 */
export function routesOf(request: ActionRequestRecord, facts: RoutingFacts): Routes {
  const channels = request.requirement?.channels ?? [];
  if (channels.length === 0) return { routes: [], standing: true, problems: [], sound: [] };
  const routes: Route[] = [];
  const problems: RoutingProblem[] = [];
  const sound: string[] = [];
  for (const channel of channels) {
    const led = leadOf(channel, request, facts);
    if (!Array.isArray(led)) {
      problems.push({ target: targetOf(channel), ...led });
      continue;
    }
    sound.push(targetOf(channel));
    if (led.length > 0) routes.push({ destinations: led });
  }
  return { routes, standing: problems.length > 0, problems, sound };
}

/** What a channel is called where it is said that it fails. */
export function targetOf(channel: Channel): string {
  const [[kind, name] = ['', '']] = Object.entries(channel);
  return `${kind} ${name}`;
}

/** The groups and persons of the directory that channels lead to, with what has escalated to others by now. */
export function namedBy(
  channels: readonly Channel[],
  request: Pick<ActionRequestRecord, 'requirement' | 'created_at'> | null,
  facts: Pick<RoutingFacts, 'partsOf' | 'onCall' | 'now'>,
): { groups: string[]; people: string[] } {
  const groups = new Set<string>();
  const people = new Set<string>();
  for (const channel of channels) {
    if ('direct' in channel) for (const group of widened(channel.direct, request, facts)) groups.add(group);
    else if ('email' in channel) for (const group of widened(channel.email, request, facts)) groups.add(group);
    else if ('person' in channel) people.add(channel.person);
    else if ('on_call' in channel) {
      const duty = facts.onCall.get(channel.on_call);
      for (const each of duty === undefined || 'failed' in duty ? [] : duty) {
        if ('person' in each) people.add(each.person);
        else for (const group of [each.group, ...facts.partsOf(each.group)]) groups.add(group);
      }
    }
  }
  return { groups: [...groups], people: [...people] };
}

/** A group with those that it includes, and those that may decide in its place by now. */
function widened(
  group: string,
  request: Pick<ActionRequestRecord, 'requirement' | 'created_at'> | null,
  { partsOf, now }: Pick<RoutingFacts, 'partsOf' | 'now'>,
): string[] {
  const elapsed = request === null ? 0 : (now - Date.parse(request.created_at)) / 1000;
  const places = (request?.requirement?.stages ?? []).flatMap(({ all }) => all).filter((place) => place.group === group);
  const since = places.flatMap(({ escalate = [] }) => escalate.filter(({ after_seconds }) => after_seconds <= elapsed).map(({ to }) => to));
  return [...new Set([group, ...since].flatMap((each) => [each, ...partsOf(each)]))];
}

type Nobody = Omit<RoutingProblem, 'target'>;
/** So for this request alone: who is meant stands behind it, or is not asked. */
const forOnce = (text: string): Nobody => ({ text, lasting: false });
const lasting = (text: string): Nobody => ({ text, lasting: true });

/** Where a channel leads on this platform; empty: it is served elsewhere. A text says why it tells nobody anywhere. */
function leadOf(channel: Channel, request: ActionRequestRecord, facts: RoutingFacts): Destination[] | Nobody {
  if ('slack' in channel) return conversation('slack', channel.slack, facts);
  if ('teams' in channel) return conversation('teams', channel.teams, facts);
  if ('email' in channel) {
    if (!facts.platforms.includes('email')) return lasting('policy sends by e-mail, and no mail server is configured');
    const asked = membersOf(channel.email, request, facts).filter(({ person }) => isAsked(request, person, facts.now));
    if (asked.length === 0) return forOnce(`nobody of ${channel.email} is asked of it`);
    return facts.platform === 'email' ? asked.map(byMail) : [];
  }
  if ('direct' in channel) {
    const asked = membersOf(channel.direct, request, facts).filter(({ person }) => isAsked(request, person, facts.now));
    return asked.length === 0 ? forOnce(`nobody of ${channel.direct} is asked of it`) : direct(asked, facts, `nobody of ${channel.direct} who is asked`);
  }
  if ('person' in channel) {
    const found = personsNamed([channel.person], facts);
    if (found.length === 0) return lasting(`the directory has nobody active with the address ${channel.person}`);
    const free = found.filter(({ person }) => isFree(request, person));
    return free.length === 0 ? forOnce(`${channel.person} stands behind the request`) : direct(free, facts, channel.person);
  }
  const duty = facts.onCall.get(channel.on_call);
  if (duty === undefined) return lasting(`there is no schedule ${channel.on_call} in the policy`);
  if ('failed' in duty) return lasting(`who is on call by ${channel.on_call} is not known: ${duty.failed}`);
  if (duty.length === 0) return lasting(`nobody is on call by ${channel.on_call}`);
  const groups = duty.flatMap((each) => ('group' in each ? [each.group, ...facts.partsOf(each.group)] : []));
  const found = [
    ...personsNamed(
      duty.flatMap((each) => ('person' in each ? [each.person] : [])),
      facts,
    ),
    ...facts.people.filter(({ person }) => person.active && person.groups.some((group) => groups.includes(group))),
  ];
  const free = found.filter(({ person }, index) => isFree(request, person) && found.findIndex((other) => other.person.id === person.id) === index);
  if (found.length === 0) return lasting(`the directory has nobody active who is on call by ${channel.on_call}`);
  if (free.length === 0) return forOnce(`who is on call by ${channel.on_call} stands behind the request`);
  return direct(free, facts, `nobody who is on call by ${channel.on_call}`);
}

function conversation(platform: 'slack' | 'teams', name: string, facts: RoutingFacts): Destination[] | Nobody {
  if (!facts.platforms.includes(platform)) return lasting(`policy sends to ${platform === 'slack' ? 'Slack' : 'Teams'}, which is not connected`);
  return facts.platform === platform ? [{ kind: 'channel', name }] : [];
}

/** The accounts of these people on this platform; a text where none has one anywhere. */
function direct(people: readonly ReachablePerson[], facts: RoutingFacts, who: string): Destination[] | Nobody {
  const chats = (of: ReachablePerson): ChatAccount[] => of.accounts.filter(({ platform }) => facts.platforms.includes(platform));
  const mail = facts.platforms.includes('email');
  if (!mail && people.every((each) => chats(each).length === 0)) return lasting(`${who} has no chat account that is linked and connected`);
  if (facts.platform === 'email') return people.filter((each) => chats(each).length === 0).map(byMail);
  return people.flatMap((each) =>
    each.accounts
      .filter(({ platform }) => platform === facts.platform)
      .map(({ workspace, user }): Destination => ({ kind: 'account', account: { workspace, user }, person_id: each.person.id })),
  );
}

const byMail = ({ person }: ReachablePerson): Destination => ({ kind: 'account', account: { workspace: '', user: person.email }, person_id: person.id });

function membersOf(group: string, request: ActionRequestRecord, facts: RoutingFacts): ReachablePerson[] {
  const groups = widened(group, request, facts);
  return facts.people.filter(({ person }) => [...person.groups, ...(person.lent ?? [])].some((each) => groups.includes(each)));
}

/** By address or id, without case; one entry for an address. */
function personsNamed(named: readonly string[], { people }: RoutingFacts): ReachablePerson[] {
  return people.filter(
    ({ person }) => person.active && named.some((each) => [person.id, person.email].some((own) => own.toLowerCase() === each.toLowerCase())),
  );
}

const isFree = (request: ActionRequestRecord, person: Person): boolean => person.active && linkOf(request.chain, person) === null;

/** Asked themselves, or as the stand-in of somebody absent where policy lets anybody be one; others are asked themselves. */
function isAsked(request: ActionRequestRecord, person: Person, now: number): boolean {
  if (isAskedOf(request, person, now)) return true;
  const { lent } = person;
  return request.requirement?.delegation?.within === 'anyone' && lent !== undefined && isAskedOf(request, { ...person, groups: lent }, now);
}
