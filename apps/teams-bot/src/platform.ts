import { type ChatPlatform, PlatformError, titleOf } from '@countersign/chat';
import type { Card } from '@countersign/contracts';
import { messageCard } from './message-card.js';
import { refOf } from './reference.js';
import type { Places } from './places.js';
import type { TeamsCalls, TeamsReference } from './teams-calls.js';
import type { Views } from './views.js';

/** Teams as the card worker sees it. A message is named by its conversation and activity id. */
export function createPlatform(
  calls: Pick<TeamsCalls, 'post' | 'update'>,
  places: Pick<Places, 'of' | 'reference' | 'at'>,
  views: Pick<Views, 'posted' | 'dialogs'>,
): ChatPlatform {
  async function referenceOf(place: string): Promise<TeamsReference> {
    const reference = await places.reference(place);
    if (reference === null) throw new PlatformError('gone', 'The bot does not know the conversation any more');
    return reference;
  }

  return {
    name: 'teams',

    standing: (request) => places.of(request),

    async post(place, card) {
      const reference = await referenceOf(place);
      const rendered = await views.posted(reference, card);
      return refOf(place, await places.at(place, () => calls.post(reference, rendered, summaryOf(card))));
    },

    // A bot cannot read what it wrote (that needs Graph, and a permission on all messages): a post whose answer was lost is made again,
    // and a press on the copy that nobody knows decides nothing.
    find: () => Promise.resolve(null),

    async update(ref, card) {
      const { conversation, activity } = ref;
      if (typeof conversation !== 'string' || typeof activity !== 'string') throw new PlatformError('gone', 'The record names no message of Teams');
      const reference = await referenceOf(conversation);
      const rendered = await views.posted(reference, card);
      await places.at(conversation, () => calls.update(reference, activity, rendered, summaryOf(card)));
    },

    batch: {
      async post(place, message) {
        const reference = await referenceOf(place);
        return refOf(
          place,
          await places.at(place, () => calls.post(reference, messageCard(message, { about: null, card: null, dialogs: views.dialogs }), message.title)),
        );
      },
      async update(ref, message) {
        const { conversation, activity } = ref;
        if (typeof conversation !== 'string' || typeof activity !== 'string') throw new PlatformError('gone', 'The record names no message of Teams');
        const reference = await referenceOf(conversation);
        await places.at(conversation, () =>
          calls.update(reference, activity, messageCard(message, { about: null, card: null, dialogs: views.dialogs }), message.title),
        );
      },
    },
  };
}

/** What notifications show: words of ours and an id alone. */
function summaryOf(card: Card): string {
  return `${titleOf(card)}: ${card.request_id}`;
}
