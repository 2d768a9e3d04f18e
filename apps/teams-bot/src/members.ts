import { type AccountFacts, PlatformError } from '@countersign/chat';
import type { Clock } from '@countersign/core/ports';
import { epochMs } from '@countersign/core/request';
import type { TurnContext } from 'botbuilder';
import type { IncomingActivity } from './incoming-activity.js';
import type { Member, TeamsCalls } from './teams-calls.js';

/** How long an answer about an account may be used, in milliseconds. */
const ACCOUNT_LIFE_MS = 60_000;
const MOST_ACCOUNTS = 1_000;
/** How long a press waits for Teams to say who pressed, in milliseconds: the press itself is answered within three seconds. */
const PATIENCE_MS = 2_000;

/** Reads at the press what Teams says of the account that pressed. Nothing is guessed: no answer is an error. */
export function createMembers(calls: Pick<TeamsCalls, 'member'>, clock: Clock) {
  const known = new Map<string, { at: number; member: Member }>();
  const now = () => epochMs(clock.now());

  /** `tenantId` and `user` are those of the activity; the account is judged by its record, not by them. */
  async function account(context: TurnContext, activity: IncomingActivity & { tenantId: string }, user: string): Promise<AccountFacts> {
    const member = await memberOf(context, `${activity.tenantId}|${activity.from.id}`, activity.from.id);
    const facts = { workspace: activity.tenantId, user, active: true, bot: false, guest: false, external: false, email: null, timezone: activity.timezone };
    if (member === null) return { ...facts, active: false };
    const role = member.userRole?.toLowerCase();
    return {
      ...facts,
      bot: member.role === 'bot' || activity.from.id.startsWith('28:'),
      // A guest is an account of elsewhere with an entry in this directory, whose name Entra marks so.
      guest: role === 'guest' || /#EXT#/i.test(member.userPrincipalName ?? ''),
      external: (role !== 'user' && role !== 'guest') || member.tenantId?.toLowerCase() !== activity.tenantId || objectIdOf(member) !== user,
      email: member.email || null,
      label: member.name || null,
    };
  }

  async function memberOf(context: TurnContext, key: string, id: string): Promise<Member | null> {
    const before = known.get(key);
    if (before !== undefined && now() - before.at < ACCOUNT_LIFE_MS) return before.member;
    const asked = now();
    // An answer that comes too late for this press serves the next one.
    const answer = calls.member(context, id).then((member) => {
      if (member === null) known.delete(key);
      else remember(key, { at: asked, member });
      return member;
    });
    return within(PATIENCE_MS, answer);
  }

  function remember(key: string, entry: { at: number; member: Member }): void {
    if (known.size >= MOST_ACCOUNTS) known.clear();
    known.set(key, entry);
  }

  /** The account that a mention names, by the id that Teams gives it towards this bot; null where nobody of the conversation has it. */
  async function mentioned(
    context: TurnContext,
    activity: IncomingActivity & { tenantId: string },
    id: string,
  ): Promise<{ workspace: string; user: string } | null> {
    const member = await memberOf(context, `${activity.tenantId}|${id}`, id);
    const user = member === null || member.tenantId?.toLowerCase() !== activity.tenantId ? undefined : objectIdOf(member);
    return user === undefined ? null : { workspace: activity.tenantId, user };
  }

  return { account, mentioned };
}

export type Members = ReturnType<typeof createMembers>;

/** Teams names it so in one answer and otherwise in another. */
function objectIdOf(member: Member): string | undefined {
  const { objectId } = member as { objectId?: string };
  return member.aadObjectId ?? objectId;
}

function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new PlatformError('unreachable', `Teams did not say within ${String(ms)} ms whose account it is`));
    }, ms);
    answer.then(resolve, reject).finally(() => {
      clearTimeout(timer);
    });
  });
}
