import { type Messenger, PlatformError } from '@countersign/chat';
import type { CardStore } from '@countersign/core/ports';
import { messageCard } from './message-card.js';
import type { Places } from './places.js';
import { refOf } from './reference.js';
import type { TeamsCalls, TeamsReference } from './teams-calls.js';

export interface MessengerDeps {
  tenant: string;
  /** Without a slash at its end. */
  publicUrl: string;
  /** Whether clients show dialogs. */
  dialogs: boolean;
  calls: Pick<TeamsCalls, 'post'>;
  places: Pick<Places, 'named' | 'reference' | 'openPersonal' | 'at'>;
  cards: Pick<CardStore, 'postedByRef'>;
}

/**
 * Messages that are no cards, in Teams. Each is an Adaptive Card all the same: the text of a message is read as Markdown, the runs of a
 * RichTextBlock are not. The Connector takes no key, and a bot cannot read what it wrote: a message whose answer was lost is said again.
 */
export function createMessenger({ tenant, publicUrl, dialogs, calls, places, cards }: MessengerDeps): Messenger {
  async function referenceOf(place: string): Promise<TeamsReference> {
    const reference = await places.reference(place);
    if (reference === null) throw new PlatformError('gone', 'The bot does not know the conversation any more');
    return reference;
  }

  return {
    channel: (name) =>
      asPlatform(async () => {
        const place = await places.named(name);
        if (place === null) throw new PlatformError('gone', `No conversation that cards may be posted in is called ${name}`);
        return place;
      }),

    direct: (account) => asPlatform(async () => (await places.openPersonal(account))?.conversation.id ?? null),

    say: (place, message) =>
      asPlatform(async () => {
        const reference = await referenceOf(place);
        return refOf(place, await places.at(place, () => calls.post(reference, messageCard(message, { about: null, card: null, dialogs }), message.title)));
      }),

    reply: (ref, message) =>
      asPlatform(async () => {
        const { conversation, activity } = ref;
        if (typeof conversation !== 'string' || typeof activity !== 'string') throw new PlatformError('gone', 'The record names no message of Teams');
        const reference = await referenceOf(conversation);
        const posted = await cards.postedByRef('teams', refOf(conversation, activity));
        const ours = posted !== null && posted.tenant === tenant;
        // Only channels have threads; elsewhere the message says itself what it is about.
        const threaded = reference.conversation.conversationType === 'channel';
        const about = threaded || !ours ? null : { request_id: posted.request_id, url: `${publicUrl}/requests/${posted.request_id}` };
        const target = threaded ? { ...reference, conversation: { ...reference.conversation, id: `${conversation};messageid=${activity}` } } : reference;
        const card = messageCard(message, { about, card: ours ? activity : null, dialogs });
        return refOf(conversation, await places.at(conversation, () => calls.post(target, card, message.title)));
      }),
  };
}

/** What the store says went wrong is no fault of Teams', and passes. */
async function asPlatform<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof PlatformError) throw error;
    throw new PlatformError('unreachable', 'The message could not be prepared', { cause: error });
  }
}
