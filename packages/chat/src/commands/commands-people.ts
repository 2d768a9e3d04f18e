import { entriesOf, linkOf, personMayRead, refusals } from '@countersign/core/decision';
import { delegate, endDelegation } from '@countersign/core/flow';
import { cardOf } from '@countersign/core/card';
import { namedGroups } from '@countersign/core/policy';
import type { ChatAccount, Person, RequestState } from '@countersign/core/ports';
import { type Instant } from '@countersign/core/request';
import { count } from '../cards/card-words.js';
import { MOST_TEXT, reasonIn, sentence, shown, type Unclear } from './command-words.js';
import { type Home, homeOf, type HomeRequest, waitingFor } from './home.js';
import type { AccountFacts } from '../platform.js';
import { instantWords, readUntil, shortWords } from './when.js';
import type { ChatWorld } from '../world.js';

/** What a person asks for themselves: what waits, what they decided, that they are away, who may decide something. */
export type PeopleCommand =
  | { kind: 'waiting' }
  | { kind: 'decided' }
  /** `words` as they were written, without the reason: when, and who stands in. */
  | { kind: 'away'; words: string; reason: string | null }
  | { kind: 'back' }
  | { kind: 'who'; request_id: string };

/** What is so where a command of these is not done. */
export const NOT_DONE = {
  waiting: 'nothing can be listed',
  decided: 'nothing can be listed',
  away: 'nothing was changed',
  back: 'nothing was changed',
  who: 'nothing can be listed',
} as const;

export interface Speaker {
  world: ChatWorld;
  platform: ChatAccount['platform'];
  spoken: string;
  person: Person;
  facts: AccountFacts;
  /** The account that a mention of the platform's own spelling names; null where it names none. */
  mentioned?: ((mark: string) => Promise<Pick<ChatAccount, 'workspace' | 'user'> | null>) | undefined;
}

export interface PeopleAnswer {
  text: string;
  /** The same as a model, for platforms that draw rows with buttons. */
  home?: Home;
}

export async function doPeople(speaker: Speaker, command: PeopleCommand): Promise<PeopleAnswer> {
  switch (command.kind) {
    case 'waiting': {
      const home = await homeOf(speaker.world, speaker.person);
      return { text: waitingText(speaker, home), home };
    }
    case 'decided': {
      const home = await homeOf(speaker.world, speaker.person);
      return { text: decidedText(speaker, home), home };
    }
    case 'away':
      return { text: await goAway(speaker, command) };
    case 'back':
      return { text: await comeBack(speaker) };
    case 'who':
      return { text: await whoText(speaker, command.request_id) };
  }
}

/** `away until Friday, bob stands in because …`; null where it is none of these commands. */
export function readPeople(verb: string, rest: string): PeopleCommand | Unclear | null {
  const words = rest.trim();
  switch (verb) {
    case 'waiting':
    case 'inbox':
      return { kind: 'waiting' };
    case 'decided':
    case 'history':
      return { kind: 'decided' };
    case 'back':
      return { kind: 'back' };
    case 'away': {
      const [, before = '', why = ''] = /^([^]*?)[\s,;]*(?:\b(?:because|reason:?)\s+([^]*))?$/i.exec(words) ?? [];
      if (before === '') return { kind: 'unclear', why: `Say until when: ${AWAY_EXAMPLE}.` };
      const reason = reasonIn(why);
      return { kind: 'away', words: before, reason: reason === null ? null : reason.slice(0, MOST_REASON) };
    }
    case 'who': {
      const [id] = /\bar_[0-9a-f-]{36}\b/.exec(words) ?? [];
      return id === undefined ? { kind: 'unclear', why: 'Name the request: who ar_…; its card says its id.' } : { kind: 'who', request_id: id };
    }
    default:
      return null;
  }
}

/** As the contract has it (contracts/src/delegation.ts). */
const MOST_REASON = 500;
const AWAY_EXAMPLE = 'away until Friday, bob@example.com stands in';

export function peopleHelp(spoken: string): string[] {
  return [
    `${spoken}waiting: what waits for you`,
    `${spoken}decided: what you decided lately`,
    `${spoken}${AWAY_EXAMPLE} [because …]: somebody decides in your stead, where policy allows it`,
    `${spoken}back: you are there again; nobody stands in for you any more`,
    `${spoken}who ar_…: who may decide a request`,
  ];
}

const zoneOf = ({ facts }: Speaker): string => facts.timezone ?? 'UTC';

/** As many lines as one answer holds; the rest is counted. */
function fitting(lines: readonly string[], rest: (left: number) => string, first: readonly string[] = []): string {
  const kept = [...first];
  let room = MOST_TEXT - first.join('\n').length;
  let left = lines.length;
  for (const line of lines) {
    room -= line.length + 1;
    if (room < 0) break;
    kept.push(line);
    left -= 1;
  }
  return [...kept, ...(left === 0 ? [] : [rest(left)])].join('\n');
}

function waitingText(speaker: Speaker, { waiting, more, reviews, questions, standing_in, away }: Home): string {
  const zone = zoneOf(speaker);
  const lines = [
    ...waiting.map(({ headline, stead, expires_at, url }) => {
      const whose = stead === null ? '' : ` (for ${shown(stead, 60)})`;
      return `• ${shown(headline, 300)}${whose}, until ${shortWords(expires_at, zone)}: ${url}`;
    }),
    ...questions.map(({ name, text, url }) => `• ${shown(name, 60)} asks you: ${shown(text, 200)} Answer: ${url}`),
    ...reviews.map(({ headline, due_at, url }) => `• To review until ${shortWords(due_at, zone)}: ${shown(headline, 300)}: ${url}`),
  ];
  const absent = [
    ...away.map(({ name, until }) => `${shown(name, 60)} stands in for you until ${shortWords(until, zone)}.`),
    ...standing_in.map(({ name, until }) => `You stand in for ${shown(name, 60)} until ${shortWords(until, zone)}.`),
  ];
  const total = waiting.length + more;
  const title = total === 0 ? 'No request waits for you.' : total === 1 ? '1 request waits for you:' : `${count(total)} requests wait for you:`;
  return fitting(lines, (left) => `and ${count(left + more)} more: ${speaker.world.publicUrl}`, [...absent, title]);
}

function decidedText(speaker: Speaker, { decided }: Home): string {
  if (decided.length === 0) return 'You decided nothing lately.';
  const lines = decided.map(({ verdict, headline, decided_at, status, url }) => {
    const did = verdict === 'approve' ? 'approved' : 'denied';
    return `• You ${did} (${shortWords(decided_at, zoneOf(speaker))}; it is ${status}): ${shown(headline, 300)}: ${url}`;
  });
  return fitting(lines, (left) => `and ${count(left)} more: ${speaker.world.publicUrl}`);
}

async function goAway(speaker: Speaker, { words, reason }: Extract<PeopleCommand, { kind: 'away' }>): Promise<string> {
  const { world, person, spoken } = speaker;
  const now = world.flow.clock.now();
  const zone = zoneOf(speaker);
  const understood = awayParts(words).flatMap(({ when, who }) => {
    const until = readUntil(when, now, zone);
    return until === null ? [] : [{ until, who }];
  })[0];
  if (understood === undefined) {
    return `${sentence(NOT_DONE.away)} Until when was not understood, or is over. Write: ${spoken}${AWAY_EXAMPLE}; or until tomorrow 14:00, for 3 days, until 2026-12-01.`;
  }
  const { until, who } = understood;
  if (who === null) return quietUntil(speaker, until, zone);
  const found = await personNamed(speaker, who);
  if (typeof found === 'string') return `${sentence(NOT_DONE.away)} ${found}`;
  const { directory, delegations } = world.store;
  const outcome = await delegate(
    { ...world.flow, directory, delegations },
    { tenant: world.tenant, person },
    { delegate: found.id, until, ...(reason === null ? {} : { reason }) },
  );
  if (outcome.kind === 'refused') return `${sentence(NOT_DONE.away)} ${outcome.text}`;
  const { delegate: stand, until: end } = outcome.delegation;
  return [
    `You are away from now until ${instantWords(end, zone)}. ${shown(stand.name, 60)} (${shown(stand.email, 120)}) stands in for you, and is told.`,
    'Where a request’s policy allows stand-ins, decisions in your stead name you both. Nobody decides in your stead what they, or you, stand behind; and it is not passed on.',
    ...(reason === null ? [] : [`Reason: ${shown(reason, 500)}`]),
    `Take it back: ${spoken}back`,
  ].join('\n');
}

/** Nobody stands in: what waits now is quiet until then. */
async function quietUntil(speaker: Speaker, until: Instant, zone: string): Promise<string> {
  const { world, person, spoken } = speaker;
  const waiting = await waitingFor(world, person);
  const set = await Promise.all(waiting.map(({ request_id }) => world.store.snoozes.set({ tenant: world.tenant, request_id, person_id: person.id, until })));
  const quiet = set.filter(Boolean).length;
  return [
    `You get no messages until ${instantWords(until, zone)} about ${quiet === 1 ? 'the 1 request that waits' : `the ${count(quiet)} requests that wait`} for you now.`,
    `Nobody stands in for you: new requests still come to you, and their time goes on. Name somebody: ${spoken}${AWAY_EXAMPLE}`,
  ].join('\n');
}

/** What may be meant by the words, the likeliest first. */
function awayParts(words: string): { when: string; who: string | null }[] {
  const text = words.trim();
  const first = /^(.+?)\s+(?:stands?\s+in|covers)(?:\s+for\s+me)?[\s,]+((?:until|till|for(?!\s+me\b))\s.+)$/isu.exec(text);
  if (first !== null) return [{ when: untilOf(first[2] ?? ''), who: bare(first[1] ?? '') }];
  const last = /^(.+?)[\s,;]+(?:stands?\s+in|covers)(?:\s+for\s+me)?$/isu.exec(text);
  const withWho = /^(.+?)[\s,;]+(?:with|stand-in:?|deputy:?)\s+(.+)$/isu.exec(text);
  const head = last?.[1] ?? null;
  if (head !== null) {
    const comma = head.lastIndexOf(',');
    const split = comma === -1 ? [] : [{ when: untilOf(head.slice(0, comma)), who: bare(head.slice(comma + 1)) }];
    const tokens = head.split(/\s+/);
    const counted = [1, 2, 3, 4].map((size) => ({ when: untilOf(tokens.slice(0, -size).join(' ')), who: bare(tokens.slice(-size).join(' ')) }));
    return [...split, ...counted];
  }
  if (withWho !== null) return [{ when: untilOf(withWho[1] ?? ''), who: bare(withWho[2] ?? '') }];
  return [{ when: untilOf(text), who: null }];
}

const untilOf = (words: string): string => words.trim().replace(/^(?:until|till|from now until)\s+/iu, '');
const bare = (words: string): string =>
  words
    .trim()
    .replaceAll(/^(?:and|with)\s+|^[`"'“”„‘’]+|[`"'“”„‘’,;]+$/giu, '')
    .trim();

/** Who is meant by a mention, an address or a name; words for the speaker where that is nobody, or several. */
async function personNamed(speaker: Speaker, who: string): Promise<Person | string> {
  const { world, platform, facts } = speaker;
  const mark = /^<@([A-Z0-9]+)(?:\|[^>]*)?>$/u.exec(who);
  const account = mark === null ? ((await speaker.mentioned?.(who)) ?? null) : { workspace: facts.workspace, user: mark[1] ?? '' };
  if (account !== null) {
    const linked = await world.links.find({ platform, ...account });
    return linked?.person ?? 'The account that you mention belongs to nobody in the directory. Write the person’s e-mail address.';
  }
  if (/^\S+@\S+$/u.test(who)) {
    const [found] = await world.store.directory.people(world.tenant, [who]);
    return found ?? 'The directory knows nobody by that address.';
  }
  const wanted = fold(who);
  const everybody = (await world.store.directory.list(world.tenant)).filter(({ active }) => active);
  const whole = everybody.filter(({ name }) => fold(name) === wanted);
  const found = whole.length > 0 ? whole : everybody.filter(({ name, email }) => fold(name).split(' ')[0] === wanted || fold(email).split('@')[0] === wanted);
  const [one] = found;
  if (one === undefined) return `The directory knows nobody called ${shown(who, 60)}. Write the e-mail address.`;
  return found.length === 1 ? one : `${count(found.length)} people are called ${shown(who, 60)}. Write the e-mail address.`;
}

const fold = (text: string): string => text.normalize('NFKC').trim().toLowerCase().replaceAll(/\s+/gu, ' ');

async function comeBack({ world, person }: Speaker): Promise<string> {
  const { tenant, store } = world;
  const own = entriesOf(person);
  const open = (await store.delegations.list(tenant, person.id)).filter(
    ({ person_id, state }) => own.includes(person_id) && (state === 'in_force' || state === 'to_come'),
  );
  const ended: string[] = [];
  for (const { id, delegate: stand } of open) {
    const outcome = await endDelegation(
      { ...world.flow, directory: store.directory, delegations: store.delegations },
      { tenant, person, administers: false },
      id,
    );
    if (outcome.kind === 'delegated') ended.push(shown(stand.name, 60));
  }
  const waiting = await waitingFor(world, person);
  const woken = await wake(world, person, waiting);
  const stand =
    ended.length === 0
      ? 'Nobody stood in for you.'
      : `Welcome back. ${ended.join(' and ')} ${ended.length === 1 ? 'stands' : 'stand'} in for you no more; what was decided stands.`;
  const quiet = woken === 0 ? '' : ` You hear again of ${woken === 1 ? '1 request' : `${count(woken)} requests`} that you paused.`;
  return `${stand}${quiet} ${waiting.length === 0 ? 'No request waits for you.' : waiting.length === 1 ? '1 request waits for you.' : `${count(waiting.length)} requests wait for you.`}`;
}

/** Ends the pauses of what waits; that something is not for them stays said. */
async function wake({ tenant, store, flow }: ChatWorld, person: Person, waiting: readonly HomeRequest[]): Promise<number> {
  let woken = 0;
  for (const { request_id } of waiting) {
    const snooze = await store.snoozes.of(tenant, request_id, person.id);
    if (snooze === null || snooze.until === null) continue;
    if (await store.snoozes.set({ tenant, request_id, person_id: person.id, until: flow.clock.now() })) woken += 1;
  }
  return woken;
}

/** Who may decide it: to those who may see it. */
async function whoText({ world, person }: Speaker, id: string): Promise<string> {
  const state = await world.requests.state(world.tenant, id);
  if (state === null || !personMayRead(person, state)) return refusals.notFound().text;
  const card = cardOf(state, world.card);
  const lines = [shown(card.headline, 400), card.open ? `Still needed: ${card.waiting_for ?? 'nobody'}.` : `The request is ${card.status}.`];
  for (const { name, verdict, at } of card.decisions) lines.push(`• ${shown(name, 100)} ${verdict === 'approve' ? 'approved' : 'denied'} it (${at}).`);
  if (!card.open || state.request.requirement === null) return lines.join('\n');
  return fitting(await membersOf(world, state), (left) => `and ${count(left)} more groups: ${card.url}`, [...lines, 'Who may do something about it:']);
}

const MOST_NAMES = 20;

async function membersOf(world: ChatWorld, { request }: RequestState): Promise<string[]> {
  if (request.requirement === null) return [];
  const { directory } = world.store;
  const { groups } = await directory.look(world.tenant, { groups: namedGroups(request.requirement) });
  const lines: string[] = [];
  for (const { name, members } of groups.toSorted((a, b) => a.name.localeCompare(b.name, 'en'))) {
    const people = (await directory.people(world.tenant, members.slice(0, 200))).filter((one) => one.active && linkOf(request.chain, one) === null);
    const names = people
      .toSorted((a, b) => a.name.localeCompare(b.name, 'en'))
      .slice(0, MOST_NAMES)
      .map((one) => shown(one.name, 60));
    const left = people.length - names.length;
    lines.push(`• ${shown(name, 60)}: ${names.join(', ') || 'nobody'}${left === 0 ? '' : ` and ${count(left)} more`}`);
  }
  return lines;
}
