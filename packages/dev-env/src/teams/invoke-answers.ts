import { array, isObject, object, text, type JsonObject } from '../wire/json.js';
import { cardComplaints } from './adaptive-card.js';

export interface TeamsRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What the bot answered. `status` is null where no answer came in time or the connection failed; then `cause` says why. */
export interface TeamsDelivery {
  readonly request: TeamsRequest;
  readonly status: number | null;
  readonly body: string;
  readonly json: unknown;
  readonly cause?: unknown;
}

/** What the presser sees. `trouble` is "Unable to reach app" or "Something went wrong"; `why` is for the reader of a test. */
export type Shown =
  | { readonly kind: 'card'; readonly card: JsonObject }
  | { readonly kind: 'message'; readonly text: string }
  | { readonly kind: 'error'; readonly code: string; readonly text: string }
  | { readonly kind: 'trouble'; readonly why: string };

/** What a dialog shows. `trouble`: Teams says that something went wrong. */
export type ShownDialog =
  | { readonly kind: 'dialog'; readonly title: string; readonly card: JsonObject }
  | { readonly kind: 'message'; readonly text: string }
  | { readonly kind: 'trouble'; readonly why: string };

/** What a message extension lists: what stands in the list, and the card that is put into the conversation. */
export type ShownList =
  | { readonly kind: 'list'; readonly entries: readonly { readonly title: string; readonly text: string; readonly card: JsonObject }[] }
  | { readonly kind: 'message'; readonly text: string }
  | { readonly kind: 'trouble'; readonly why: string };

/** The forms that Teams takes from an invoke: AdaptiveCardInvokeResponse. An empty or another body is trouble, and Teams asks again. */
export function readInvokeAnswer(delivery: TeamsDelivery): Shown {
  if (delivery.status !== 200) return { kind: 'trouble', why: `status ${String(delivery.status)}: ${delivery.body}` };
  if (!isObject(delivery.json)) return { kind: 'trouble', why: 'the body is empty or no object' };
  const { statusCode, type, value } = delivery.json;
  switch (type) {
    case 'application/vnd.microsoft.card.adaptive': {
      if (statusCode !== 200) return { kind: 'trouble', why: `a card with statusCode ${String(statusCode)}` };
      const complaints = cardComplaints(value);
      return complaints.length > 0 || !isObject(value) ? { kind: 'trouble', why: complaints.join('; ') } : { kind: 'card', card: value };
    }
    case 'application/vnd.microsoft.activity.message':
      return statusCode === 200 && typeof value === 'string' && value !== ''
        ? { kind: 'message', text: value }
        : { kind: 'trouble', why: 'a message without text' };
    case 'application/vnd.microsoft.error':
      return { kind: 'error', code: text(object(value)['code']) ?? '', text: text(object(value)['message']) ?? '' };
    default:
      return { kind: 'trouble', why: `unknown type ${String(type)}` };
  }
}

/** The forms that Teams takes from task/fetch and task/submit. Source: Microsoft Teams documentation, "Dialogs in bots". */
export function readTaskAnswer({ status, body, json }: TeamsDelivery): ShownDialog {
  if (status !== 200) return { kind: 'trouble', why: `status ${String(status)}: ${body}` };
  const task = object(object(json)['task']);
  const value = task['value'];
  if (task['type'] === 'message')
    return typeof value === 'string' && value !== '' ? { kind: 'message', text: value } : { kind: 'trouble', why: 'a message without text' };
  if (task['type'] !== 'continue') return { kind: 'trouble', why: `unknown task ${String(task['type'])}` };
  const { title, height, width, card } = object(value);
  const content = object(card)['content'];
  const complaints = cardComplaints(content);
  if (text(title) === undefined) complaints.push('the dialog has no title');
  for (const size of [height, width])
    if (typeof size !== 'number' && !['small', 'medium', 'large'].includes(text(size) ?? '')) complaints.push(`the size ${String(size)}`);
  if (object(card)['contentType'] !== 'application/vnd.microsoft.card.adaptive') complaints.push('the dialog shows no Adaptive Card');
  if (JSON.stringify(content).includes('"Action.Execute"')) complaints.push('a dialog sends by Action.Submit');
  return complaints.length > 0 || !isObject(content)
    ? { kind: 'trouble', why: complaints.join('; ') }
    : { kind: 'dialog', title: text(title) ?? '', card: content };
}

/** The forms that Teams takes from composeExtension/query. Source: Microsoft Teams documentation, "Respond to the search command". */
export function readExtensionAnswer({ status, body, json }: TeamsDelivery): ShownList {
  if (status !== 200) return { kind: 'trouble', why: `status ${String(status)}: ${body}` };
  const { type, text: words, attachmentLayout, attachments } = object(object(json)['composeExtension']);
  if (type === 'message') return text(words) === undefined ? { kind: 'trouble', why: 'a message without text' } : { kind: 'message', text: text(words) ?? '' };
  if (type !== 'result' || !['list', 'grid'].includes(text(attachmentLayout) ?? '')) return { kind: 'trouble', why: `unknown answer ${String(type)}` };
  const entries = array(attachments).map((attachment) => {
    const { contentType, content, preview } = object(attachment);
    const shown = object(object(preview)['content']);
    const complaints = contentType === 'application/vnd.microsoft.card.adaptive' ? cardComplaints(content) : [`an attachment ${String(contentType)}`];
    if (!/thumbnail|hero/.test(text(object(preview)['contentType']) ?? '')) complaints.push('a preview is a thumbnail or a hero card');
    if (text(shown['title']) === undefined) complaints.push('a preview without a title');
    return { complaints, title: text(shown['title']) ?? '', text: text(shown['text']) ?? '', card: object(content) };
  });
  const complaints = entries.flatMap((entry) => entry.complaints);
  if (complaints.length > 0 || entries.length === 0) return { kind: 'trouble', why: complaints.join('; ') || 'an empty list' };
  return { kind: 'list', entries: entries.map(({ title, text: shown, card }) => ({ title, text: shown, card })) };
}
