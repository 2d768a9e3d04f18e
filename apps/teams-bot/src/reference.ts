import type { JsonObject } from '@countersign/contracts';
import type { ChatPlace } from '@countersign/core/ports';
import { object, text } from './incoming-activity.js';
import type { TeamsReference } from './teams-calls.js';

/** How a message is named, in the record and in a press. */
export function refOf(place: string, activityId: string): JsonObject {
  return { conversation: place, activity: activityId };
}

/** What is remembered of a conversation: how to write to it, and whether the bot was removed since. */
export function referenceJson({ bot, conversation, serviceUrl }: TeamsReference, removed: boolean): JsonObject {
  return {
    service_url: serviceUrl,
    bot: { id: bot.id, name: bot.name },
    conversation: { id: conversation.id, type: conversation.conversationType ?? '', tenant_id: conversation.tenantId ?? '' },
    removed,
  };
}

export function readReference({ reference, kind }: ChatPlace): TeamsReference & { removed: boolean; tenantId: string } {
  const [bot, conversation] = [object(reference['bot']), object(reference['conversation'])];
  const tenantId = text(conversation['tenant_id']) ?? '';
  return {
    serviceUrl: text(reference['service_url']) ?? '',
    bot: { id: text(bot['id']) ?? '', name: text(bot['name']) ?? '' },
    conversation: { id: text(conversation['id']) ?? '', conversationType: text(conversation['type']) ?? '', isGroup: kind !== 'personal', name: '', tenantId },
    removed: reference['removed'] === true,
    tenantId,
  };
}
