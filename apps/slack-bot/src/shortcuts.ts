import { SLACK_SHORTCUTS } from '@countersign/chat/slack-app';
import type { App, GlobalShortcut, MessageShortcut } from '@slack/bolt';
import type { Interactions } from './interactions.js';
import { presserOf, readObject } from './pressed.js';

const [WAITING, WHOLE] = SLACK_SHORTCUTS;

/** What people find under the lightning bolt and under a message's dots. */
export function listenForShortcuts(app: App, { showWaiting, showMessage }: Pick<Interactions, 'showWaiting' | 'showMessage'>): void {
  app.shortcut<GlobalShortcut>({ type: 'shortcut', callback_id: WAITING.callback_id }, async ({ ack, shortcut }) => {
    await ack();
    await showWaiting(shortcut.trigger_id, presserOf(shortcut));
  });

  app.shortcut<MessageShortcut>({ type: 'message_action', callback_id: WHOLE.callback_id }, async ({ ack, shortcut }) => {
    await ack();
    const { channel, message_ts: ts, message, trigger_id } = shortcut;
    await showMessage(trigger_id, presserOf(shortcut), {
      channel: channel.id,
      ts,
      bot: typeof message['bot_id'] === 'string' ? message['bot_id'] : null,
      request_id: requestIn(message['blocks']),
    });
  });
}

/** The request that a message of ours has buttons about. */
function requestIn(blocks: unknown): string | null {
  for (const part of objectsIn(blocks)) {
    const value = typeof part['value'] === 'string' ? readObject(part['value']) : null;
    if (typeof value?.['request_id'] === 'string') return value['request_id'];
  }
  return null;
}

function objectsIn(value: unknown): Record<string, unknown>[] {
  if (Array.isArray(value)) return value.flatMap(objectsIn);
  if (typeof value !== 'object' || value === null) return [];
  // An object of a parsed JSON document.
  return [value as Record<string, unknown>, ...Object.values(value).flatMap(objectsIn)];
}
