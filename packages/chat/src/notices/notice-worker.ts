import type { JsonObject, NoticeKind } from '@countersign/contracts';
import type { NoticeTask, Person, PlatformName, ReachablePerson } from '@countersign/core/ports';
import { type AbsenceReader, createAbsences } from '../people/absence.js';
import { digestMessage } from './digest.js';
import { PlatformError } from '../errors.js';
import type { Addressee, ChatMessage, Messenger } from '../message.js';
import { ASKING, audienceOf, channelName, stillConcerns } from './notice-audience.js';
import { goesIntoThread, messageOf } from './notice-words.js';
import { policyInForce, quietUntil } from './quiet.js';
import { createRuns } from '../runs.js';
import type { ChatWorld } from '../world.js';

/** How long a worker may hold a task before another takes it over, in seconds; it is renewed after each so many messages. */
const LEASE_SECONDS = 120;
const RENEW_AFTER = 8;
const BATCH = 8;
/** What the platform refuses for good is tried again for so long, in case an operator mends it. */
const REFUSED_SECONDS = 86_400;
/** After so many tries a message goes out although the card whose thread it belongs to is not posted. */
const MOST_WAITS_FOR_CARD = 6;
/** After so many failures of one notice the rest waits: the platform is away. */
const MOST_FAULTS = 2;

export interface NoticeWorkerOptions {
  platform: PlatformName;
  messenger: Messenger;
  /** Runs before each notice: outcomes and cards come first where the platform limits what is sent. */
  first?: () => Promise<unknown>;
  /** Whether one person alone reads in a place of a card. Absent: as the places say that the platform learned. */
  isPrivate?: (place: string) => Promise<boolean>;
  /** The end of a request is a message of the card's own: whoever has the card is not told of it once more. */
  endIsMessage?: boolean;
  /** What the platform says of who is away: a hint on what asks people. Absent: it is not read. */
  absence?: AbsenceReader;
}

type Where = { place: string } | { ref: JsonObject };

/** That a request came to its end. */
const ENDS: ReadonlySet<NoticeKind> = new Set(['settled', 'expired']);

/** What is to be told, where, once. */
interface Target {
  /** Under which it is remembered. */
  name: string;
  /** Null: there is no way to it. */
  where(): Promise<Where | null>;
  message(where: Where): Promise<ChatMessage | null> | ChatMessage | null;
}

/**
 * Tells on one platform what people are told besides the card: into the threads of a request's cards, to the people concerned, and to the
 * channels that the notice names. What is told is remembered place by place before it is said, so that a crash, a platform that is away and
 * a second worker repeat nothing that can be looked for.
 */
export function createNoticeWorker(world: ChatWorld, options: NoticeWorkerOptions) {
  const { store, tenant, log } = world;
  const { platform, messenger } = options;
  const isPrivate = options.isPrivate ?? isPersonalChat;
  const absences = options.absence === undefined ? null : createAbsences(options.absence, { clock: world.flow.clock, log });

  /** Where a person may be written to. */
  const accountsOf = ({ person, accounts }: ReachablePerson): Addressee[] =>
    platform === 'email' ? [{ workspace: '', user: person.email }] : accounts.filter((account) => account.platform === platform);

  async function isPersonalChat(place: string): Promise<boolean> {
    return (await store.cards.places(tenant, platform)).some((known) => known.place === place && known.kind === 'personal');
  }

  /** Works until nothing is due. Throws where the tasks cannot be read. */
  const runs = createRuns(async (stopped) => {
    let done = 0;
    for (;;) {
      const tasks = await store.notices.claim(platform, BATCH, LEASE_SECONDS);
      if (tasks.length === 0) return done;
      for (const [index, task] of tasks.entries()) {
        const ends = stopped();
        const wait = ends ? 0 : await work(task);
        done += 1;
        if (wait === null) continue;
        // The platform wants nothing now, or we end: others may take the rest.
        await Promise.all(tasks.slice(ends ? index : index + 1).map((rest) => store.notices.retry(rest, wait)));
        return done;
      }
    }
  });

  /** Tells one notice; for how many seconds the platform asks to be left alone, null where it does not. */
  async function work(task: NoticeTask): Promise<number | null> {
    try {
      await options.first?.();
      const later = await tell(task);
      if (later === null) await store.notices.finish(task);
      else await store.notices.retry(task, later);
      return null;
    } catch (error) {
      const delay = delayAfter(task, error);
      log.warn({ err: error, notice: task.notice.id, attempts: task.attempts }, 'a notice could not be told; it is tried again');
      if (delay === null) await store.notices.finish(task);
      else await store.notices.retry(task, delay);
      return error instanceof PlatformError && error.code === 'rate_limited' ? delay : null;
    }
  }

  /** In how many seconds there is more to tell, for quiet hours end; null where all is told. */
  async function tell(task: NoticeTask): Promise<number | null> {
    const { notice } = task;
    const state = notice.request_id === null ? null : await world.requests.state(task.tenant, notice.request_id);
    if (!stillConcerns(task, state)) return null;
    const cards = state === null ? [] : await store.cards.posted(task.tenant, platform, state.request.id);
    const threads = goesIntoThread(notice.kind) ? cards : [];
    const waits = threads.some(({ ref }) => ref === null) && state?.request.status === 'pending' && task.attempts < MOST_WAITS_FOR_CARD;
    if (waits) throw new PlatformError('unreachable', 'The card whose thread it belongs to is not posted yet');
    const policy = await policyInForce(world, task.tenant);
    const { people, channels } = await audienceOf(
      world,
      task,
      state,
      cards.map(({ place }) => place),
    );

    const away = absences === null || !ASKING.has(notice.kind) ? new Map<string, string>() : await absences(people, accountsOf);
    const others = (person?: Person): string[] => [...away].flatMap(([id, sentence]) => (id === person?.id ? [] : [sentence]));
    const faults: unknown[] = [];
    let count = 0;
    const say = async (target: Target): Promise<void> => {
      if (++count % RENEW_AFTER === 0 && !(await store.notices.renew(task, LEASE_SECONDS))) throw new TakenOver();
      await once(task, target).catch((error: unknown) => {
        // One place that fails does not keep the others from being told; a platform that wants a pause, or is away, does.
        if (!(error instanceof PlatformError) || error.code === 'rate_limited' || faults.length >= MOST_FAULTS) throw error;
        faults.push(error);
      });
    };

    for (const { id, place, ref } of threads) {
      if (ref === null || (await isPrivate(place))) continue;
      await say({
        name: `thread:${id}`,
        where: () => Promise.resolve({ ref }),
        message: () => messageOf(world, task, state, { to: 'thread', hints: others() }),
      });
    }
    for (const channel of new Set(channels.flatMap((one) => channelName(one, platform) ?? []))) {
      await say({
        name: `channel:${channel}`,
        where: async () => ({ place: await messenger.channel(channel) }),
        message: (where) => (notice.kind === 'digest' ? digestMessage(world, task, { platform, where }) : messageOf(world, task, state, { to: 'channel' })),
      });
    }
    let later: number | null = null;
    for (const { hint, ...one } of people) {
      const { person } = one;
      const until = quietUntil(policy, { task, state, person });
      if (until !== null) {
        const seconds = Math.max(1, Math.ceil((until - Date.parse(task.claimed_at)) / 1000));
        later = later === null ? seconds : Math.min(later, seconds);
        continue;
      }
      await say({
        name: `person:${person.id}`,
        async where() {
          const place = await directPlace(one);
          const card = cards.find((one) => one.place === place && one.ref !== null);
          if (card?.ref != null && options.endIsMessage === true && ENDS.has(notice.kind)) return null;
          return place === null ? null : card?.ref == null ? { place } : { ref: card.ref };
        },
        message: () =>
          notice.kind === 'digest'
            ? digestMessage(world, task, { person })
            : messageOf(world, task, state, { to: 'person', hints: [...(hint === null ? [] : [hint]), ...others(person)] }),
      });
    }
    if (faults.length > 0) throw faults[0];
    return later;
  }

  async function directPlace(person: ReachablePerson): Promise<string | null> {
    for (const account of accountsOf(person)) {
      const place = await messenger.direct(account);
      if (place !== null) return place;
    }
    return null;
  }

  /** Says it unless it was said there. A message whose answer was lost is looked for, where the platform lets us; else it is said again. */
  async function once(task: NoticeTask, target: Target): Promise<void> {
    const row = await store.notices.telling(task, target.name, `${task.notice.id}/${target.name}`);
    if (row.state === 'told') return;
    let sending = false;
    try {
      const where = await target.where();
      const message = where === null ? null : await target.message(where);
      if (where === null || message === null) return await store.notices.told(row, null);
      const found = row.tries > 1 ? ((await messenger.find?.(where, row.key)) ?? null) : null;
      sending = true;
      const ref = found ?? ('ref' in where ? await messenger.reply(where.ref, message, row.key) : await messenger.say(where.place, message, row.key));
      await store.notices.told(row, ref);
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      if (error.code === 'gone') {
        log.warn({ err: error, notice: row.notice_id, place: row.place }, 'a notice has no place any more, and is not told there');
        return store.notices.told(row, null);
      }
      // Only of a message that was sent without an answer it is not known whether it was said.
      if (row.tries === 1 && (!sending || error.code !== 'unreachable')) await store.notices.untold(row);
      throw error;
    }
  }

  return runs;
}

export type NoticeWorker = ReturnType<typeof createNoticeWorker>;

/** Another worker has the task since. */
class TakenOver extends Error {
  override readonly name = 'TakenOver';
}

/** 2, 4 … 60 s, or what the platform asks for; what it refuses each 10 minutes for a day; null: no more. */
function delayAfter({ attempts, notice, claimed_at }: NoticeTask, error: unknown): number | null {
  if (error instanceof PlatformError) {
    if (error.retryAfterSeconds !== null) return Math.min(error.retryAfterSeconds, 600);
    if (error.code === 'refused') return (Date.parse(claimed_at) - Date.parse(notice.at)) / 1000 < REFUSED_SECONDS ? 600 : null;
  }
  return Math.min(60, 2 ** Math.min(attempts, 6));
}
