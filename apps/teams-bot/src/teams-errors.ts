import { PlatformError } from '@countersign/chat';

/**
 * Words of Teams after which the bot cannot write there any more, with what an operator does about it. Source: Microsoft Teams
 * documentation, "Send proactive messages" and "Status codes from bot conversational APIs".
 */
const GONE: Readonly<Record<string, string>> = {
  MessageWritesBlocked: 'the person blocked the bot or removed the app; they open Countersign in Teams and unblock or add it',
  ConversationBlockedByUser: 'the person blocked the bot; they open Countersign in Teams and unblock it',
  BotNotInConversationRoster: 'the app is not installed there (any more); add it again under Apps in that chat or team',
  ForbiddenOperationException:
    "the app is not installed in the person's personal scope; they add Countersign in Teams, or an administrator installs it for them",
  ConversationNotFound: 'the conversation was deleted, or the app was never there',
  ActivityNotFoundInConversation: 'somebody deleted the message',
};

/** Words that an administrator of the tenant has to do something about. */
const REFUSED: Readonly<Record<string, string>> = {
  BotDisabledByAdmin: 'the app is blocked for this tenant; allow it in the Teams admin center (Teams apps, Manage apps)',
  InvalidBotApiHost: 'the call went to another cloud than the bot is registered in; set TEAMS_OPENID_METADATA_URL to that cloud',
  NotEnoughPermissions: "the bot's registration may not do that; compare it with docs/teams.md",
  MessageSizeTooBig: 'the message is larger than Teams takes',
};

export async function translated<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw platformError(error);
  }
}

/** What botbuilder threw, as the worker knows it. */
export function platformError(error: unknown): PlatformError {
  if (error instanceof PlatformError) return error;
  // Of @azure/identity, whose words are a page.
  if (error instanceof Error && ['AggregateAuthenticationError', 'AuthenticationError', 'CredentialUnavailableError'].includes(error.name)) {
    return new PlatformError('refused', 'The managed identity gives the bot no token; countersign doctor teams looks at it', { cause: error });
  }
  const status = statusOf(error);
  if (status === undefined) {
    // Entra's refusal to give us a token; msal throws a ServerError with its word.
    const word = fieldOf(error, 'errorCode');
    if (word === 'invalid_client' || word === 'unauthorized_client' || word === 'invalid_request') {
      return new PlatformError('refused', `Entra gives the bot no token: ${word}`, { cause: error });
    }
    return new PlatformError('unreachable', 'Teams gave no answer', { cause: error });
  }
  return answerError(status, codeOf(error), { cause: error, retryAfterSeconds: retryAfter(error) });
}

/** An answer of Teams that is no success. */
export function answerError(
  status: number,
  code: string | undefined,
  { cause, retryAfterSeconds }: { cause?: unknown; retryAfterSeconds: number },
): PlatformError {
  const advice = code === undefined ? undefined : (GONE[code] ?? REFUSED[code]);
  const words = `Teams answers ${String(status)}${code === undefined ? '' : ` ${code}`}${advice === undefined ? '' : `: ${advice}`}`;
  if (status === 429) return new PlatformError('rate_limited', words, { cause, retryAfterSeconds });
  if (status === 404 || (status === 403 && code !== undefined && code in GONE)) return new PlatformError('gone', words, { cause });
  // 412 and 5xx are Teams' own trouble (Microsoft Teams documentation, "Optimize your bot with rate limiting").
  if (status >= 500 || status === 412 || status === 408) return new PlatformError('unreachable', words, { cause });
  return new PlatformError('refused', words, { cause });
}

/** Whether Teams said that the bot is not in the conversation (any more), or that its person blocked it; a message that is gone is another matter. */
export function isShutOut(error: unknown): boolean {
  return error instanceof PlatformError && error.code === 'gone' && SHUT_OUT.has(codeOf(error.cause) ?? '');
}
const SHUT_OUT = new Set([
  'MessageWritesBlocked',
  'ConversationBlockedByUser',
  'BotNotInConversationRoster',
  'ForbiddenOperationException',
  'ConversationNotFound',
]);

/** Whether Teams could not do it for a moment: answers that its documentation asks to try again. A limit is another matter. */
export function isPassing(error: unknown): boolean {
  return error instanceof PlatformError && [412, 502, 504].includes(statusOf(error.cause) ?? 0);
}

/** Of Azure's RestError. */
function statusOf(error: unknown): number | undefined {
  const status = fieldOf(error, 'statusCode');
  return typeof status === 'number' ? status : undefined;
}

/** Teams' own word; where it says a narrower one, that. */
export function codeOf(error: unknown): string | undefined {
  const parsed = fieldOf(fieldOf(error, 'body'), 'error') ?? fieldOf(fieldOf(error, 'details'), 'error');
  const inner = fieldOf(fieldOf(parsed, 'innererror'), 'code') ?? fieldOf(parsed, 'subCode');
  const code = typeof inner === 'string' ? inner : fieldOf(error, 'code');
  return typeof code === 'string' ? code : undefined;
}

function retryAfter(error: unknown): number {
  const headers = fieldOf(fieldOf(error, 'response'), 'headers');
  const get = fieldOf(headers, 'get');
  const seconds = typeof get === 'function' ? Number(get.call(headers, 'retry-after')) : Number.NaN;
  return Number.isFinite(seconds) && seconds > 0 ? seconds : 5;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
