import { type ChatWorld, cut, homeOf, type HomeRequest, type LinkMode, time } from '@countersign/chat';
import type { JsonObject } from '@countersign/contracts';
import { type AdaptiveCard, line, openButton, runs } from './adaptive-card.js';
import { object, text } from './incoming-activity.js';
import type { Ours } from './presses.js';

/** What a message extension is answered with. Never empty. */
export type ExtensionAnswer = { composeExtension: { type: 'message'; text: string } | { type: 'result'; attachmentLayout: 'list'; attachments: Attachment[] } };
interface Attachment {
  contentType: 'application/vnd.microsoft.card.adaptive';
  content: AdaptiveCard;
  preview: { contentType: 'application/vnd.microsoft.card.thumbnail'; content: { title: string; text: string } };
}

export interface MessageExtension {
  /** What waits for the person who looks, from Teams' own search and compose boxes. */
  query(activity: Ours): Promise<ExtensionAnswer>;
}

/** How many of them Teams shows at once. */
const MOST_SHOWN = 25;

/**
 * The list is for its reader alone. What is put from it into a conversation is read by everybody there, and so says no more than that something
 * waits, and where; who may read it is judged by the page.
 */
export function createMessageExtension(world: ChatWorld, linkMode: LinkMode): MessageExtension {
  async function query(activity: Ours): Promise<ExtensionAnswer> {
    const user = activity.from.aadObjectId;
    if (user === null) return extensionWords('Teams does not say whose account this is. Sign in with an account of the organisation.');
    // Asked in conversations that the bot is not in, so that Teams cannot be asked who it is: a link has been proved before, and counts still.
    const linked = await world.links.find({ platform: 'teams', workspace: activity.tenantId, user });
    const counts = linked !== null && (linked.link.how !== 'email' || linkMode === 'email') && world.links.waitsUntil(linked.link) === null;
    if (!counts || !linked.person.active)
      return extensionWords('This account belongs to nobody in the directory yet. Write to me in a personal chat to link it.');
    const { person } = linked;
    const { waiting, more } = await homeOf(world, person);
    const words = searchIn(activity.value);
    const found = waiting.filter(({ request_id, headline }) => `${headline} ${request_id}`.toLowerCase().includes(words));
    if (found.length === 0) return extensionWords(waiting.length === 0 ? 'Nothing waits for you.' : 'Nothing that waits for you is called so.');
    const { skip, count } = pageIn(activity.value);
    const shown = found.slice(skip, skip + count);
    if (shown.length === 0) return extensionWords(more === 0 ? 'That is all that waits for you.' : `And ${String(more)} more: ${world.publicUrl}`);
    return { composeExtension: { type: 'result', attachmentLayout: 'list', attachments: shown.map(attachmentOf) } };
  }

  return {
    async query(activity) {
      try {
        return await query(activity);
      } catch (error) {
        world.log.error({ err: error }, 'what waits for somebody could not be listed');
        return extensionWords('Something failed on our side. Try again, or look into the web inbox.');
      }
    },
  };
}

export const extensionWords = (words: string): ExtensionAnswer => ({ composeExtension: { type: 'message', text: words } });

function attachmentOf({ request_id, headline, url, expires_at, stead }: HomeRequest): Attachment {
  return {
    contentType: 'application/vnd.microsoft.card.adaptive',
    content: {
      type: 'AdaptiveCard',
      version: '1.5',
      fallbackText: `A request waits for approval: ${url}`,
      body: [line(runs('A request waits for approval', { weight: 'bolder' }), {}), line(runs(request_id))],
      actions: [openButton('Open in browser', url)],
    },
    preview: {
      contentType: 'application/vnd.microsoft.card.thumbnail',
      content: {
        title: unread(cut(headline.replaceAll('\n', ' '), 200)),
        text: unread(`${stead === null ? '' : `In ${stead}’s stead. `}Decide before ${time(expires_at)}`),
      },
    },
  };
}

/** The text of thumbnails is read as HTML by some clients and shown by others: its marks become others of the same look. */
function unread(words: string): string {
  return words.replaceAll('&', '＆').replaceAll('<', '＜').replaceAll('>', '＞');
}

/** What was typed; nothing at first. */
function searchIn(value: JsonObject | null): string {
  const parameters = Array.isArray(value?.['parameters']) ? value['parameters'].map(object) : [];
  const typed = parameters.find(({ name }) => name !== 'initialRun');
  return (text(typed?.['value']) ?? '').trim().toLowerCase().slice(0, 200);
}

function pageIn(value: JsonObject | null): { skip: number; count: number } {
  const { skip, count } = object(value?.['queryOptions']);
  const whole = (given: unknown, most: number): number | null =>
    typeof given === 'number' && Number.isSafeInteger(given) && given >= 0 ? Math.min(given, most) : null;
  return { skip: whole(skip, 10_000) ?? 0, count: whole(count, MOST_SHOWN) || MOST_SHOWN };
}
