import { type ChatPlatform, PlatformError } from '@countersign/chat';
import type { Mailer } from './mailer.js';
import { mailRefOf } from './mailer.js';
import type { Places } from './places.js';
import { renderCard } from './render.js';

/**
 * Mail as the card worker sees it. A mail that was sent stays as it is: while the request waits its page says how it stands, and once it is
 * settled a second mail in the same thread says what came of it.
 */
export function createPlatform(mailer: Mailer, places: Pick<Places, 'standing'>): ChatPlatform {
  return {
    name: 'email',

    standing: (request) => places.standing(request),

    post: (place, card, key) =>
      mailer.send({ person: place, request: card.request_id, key, after: null, content: (link) => renderCard(card, link ?? card.url) }),

    find: (place, key) => mailer.find(place, key),

    async update(ref, card, key) {
      if (card.open) return;
      const first = mailRefOf(ref);
      if (first === null) throw new PlatformError('gone', 'The record names no mail');
      // One for each end that it comes to: an approval may still be revoked. What is used or reported afterwards is no end.
      await mailer.send({
        person: first.person,
        request: null,
        key: `${key}/${card.status}`,
        after: first,
        // There is nothing to decide any more: the page's own address, which asks who reads it as ever.
        content: () => renderCard(card, card.url),
      });
    },
  };
}
