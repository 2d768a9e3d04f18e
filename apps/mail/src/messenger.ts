import { type Messenger, PlatformError } from '@countersign/chat';
import type { Mailer, MailRef } from './mailer.js';
import { mailRefOf } from './mailer.js';
import type { Places } from './places.js';
import { renderMessage, requestOf } from './render.js';

/** How mail says what is no card: a mail to one person, in the thread of the first one where there is one. An account is an address. */
export function createMessenger(mailer: Mailer, places: Pick<Places, 'of'>): Messenger {
  const mail = (person: string, after: MailRef | null, message: Parameters<Messenger['say']>[1], key: string): Promise<MailRef> =>
    mailer.send({ person, request: requestOf(message), key, after, content: (link) => renderMessage(message, link) });

  return {
    channel: () => Promise.reject(new PlatformError('gone', 'Mail has no channels: a group is mailed member by member')),
    direct: ({ user }) => places.of(user),
    say: (place, message, key) => mail(place, null, message, key),
    reply(ref, message, key) {
      const first = mailRefOf(ref);
      if (first === null) return Promise.reject(new PlatformError('gone', 'The record names no mail'));
      return mail(first.person, first, message, key);
    },
  };
}
