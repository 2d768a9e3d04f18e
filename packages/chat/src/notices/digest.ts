import { cardOf } from '@countersign/core/card';
import { waitingRequests } from '@countersign/core/flow';
import type { NoticeTask, Person, PlatformName, RequestState } from '@countersign/core/ports';
import { count, cut, oneLine, time } from '../cards/card-words.js';
import type { ChatMessage } from '../message.js';
import type { ChatWorld } from '../world.js';

/** So many are listed; the rest is in the inbox. */
const MOST_LISTED = 10;
const MOST_HEADLINE = 300;

/** Whose digest it is: a person's, or that of a place of a platform, where the cards stand that it lists. */
export type DigestOf = { person: Person } | { platform: PlatformName; where: { place: string } | { ref: object } };

/** What waits as it is told, which may be later than its digest was made; null where nothing does any more, or too little for a channel. */
export async function digestMessage(world: ChatWorld, { tenant, notice }: NoticeTask, of: DigestOf): Promise<ChatMessage | null> {
  if ('person' in of) {
    const waiting = await waitingRequests(world.store, tenant, of.person);
    return waiting.length === 0 ? null : listing(world, waiting.slice(0, MOST_LISTED), waiting.length, 'for you');
  }
  if (!('place' in of.where)) return null;
  const ids = await world.store.digests.waitingAt(tenant, of.platform, of.where.place);
  if (ids.length < (await leastOf(world, tenant, notice.channels[0]))) return null;
  const states = await Promise.all(ids.slice(0, MOST_LISTED).map((id) => world.requests.state(tenant, id)));
  const waiting = states.filter((state) => state?.request.status === 'pending');
  return waiting.length === 0 ? null : listing(world, waiting as RequestState[], ids.length, 'here'); // null is not pending
}

async function leastOf({ store, flow }: ChatWorld, tenant: string, channel: object | undefined): Promise<number> {
  const active = await store.policies.active(tenant);
  const plans = active === null ? [] : (await flow.policies.bundle(tenant, active.digest)).digests;
  const own = plans.filter(({ channels }) => channels.some((one) => JSON.stringify(one) === JSON.stringify(channel)));
  return Math.max(1, ...own.map(({ at_least }) => at_least));
}

function listing(world: ChatWorld, shown: readonly RequestState[], all: number, where: string): ChatMessage {
  const cards = shown.map((state) => cardOf(state, world.card));
  const left = all - shown.length;
  return {
    title: all === 1 ? `One request waits ${where}` : `${count(all)} requests wait ${where}`,
    lines: [
      ...cards.map(
        (card, index) =>
          `${count(index + 1)}. ${cut(oneLine(card.headline), MOST_HEADLINE)}\nsince ${time(shown[index]?.request.created_at ?? '')}, until ${time(card.expires_at)}`,
      ),
      ...(left > 0 ? [`And ${count(left)} more in the inbox.`] : []),
    ],
    links: [...cards.map(({ url }, index) => ({ label: `Open ${count(index + 1)}`, url })), { label: 'Open the inbox', url: world.publicUrl }],
    actions: [],
  };
}
