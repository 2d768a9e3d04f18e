import { createPace, type Pace, type PaceLimit, PlatformError, type PaceTimer, type Urgency } from '@countersign/chat';
import type { TurnContext } from 'botbuilder';
import { baseOf } from './incoming-activity.js';
import type { TeamsCalls } from './teams-calls.js';
import { isPassing } from './teams-errors.js';

/*
 * What Teams takes of a bot in one conversation: of messages 7 in a second, 8 in two, 60 in 30, 1,800 in an hour; of questions for members
 * 14, 16, 120 and 3,600; of one bot in one tenant 30 a second (Microsoft Teams documentation, "Optimize your bot with rate limiting in
 * Teams"). A lane lets through `burst + T / everyMs` in the time T at most, so that the first of each pair keeps the short windows, and
 * the second the hour.
 */
export const MESSAGES: readonly [PaceLimit, PaceLimit] = [
  { everyMs: 600, burst: 5 },
  { everyMs: 4_000, burst: 850 },
];
export const QUESTIONS: readonly [PaceLimit, PaceLimit] = [
  { everyMs: 340, burst: 10 },
  { everyMs: 2_000, burst: 1_700 },
];
export const ALL: PaceLimit = { everyMs: 45, burst: 7 };

/** How often a call that may be repeated is repeated at once, and about how long that waits, in milliseconds. */
const TRIES = 3;
const FIRST_WAIT_MS = 400;

export interface PacedCallsOptions {
  timer?: PaceTimer;
  /** At least 0 and below 1. */
  random?: () => number;
}

/**
 * The calls within Teams' limits, each conversation by itself, the urgent ones first. What Teams could not do for a moment (412, 502, 504)
 * is tried again after a while of no certain length, where it does the same twice as once; a message is not, for it may stand there
 * already, and is its worker's matter. Where Teams asks for silence, the conversation gets it.
 */
export function createPacedCalls(calls: TeamsCalls, { timer, random = Math.random }: PacedCallsOptions = {}): (urgency: Urgency) => TeamsCalls {
  const pace = createPace(timer);
  const after = timer?.after ?? ((ms: number, wake: () => void) => void setTimeout(wake, ms));

  async function paced<T>(what: 'message' | 'question', conversation: string, urgency: Urgency, repeatable: boolean, call: () => Promise<T>): Promise<T> {
    const [short, long] = what === 'message' ? MESSAGES : QUESTIONS;
    const key = `${what}|${baseOf(conversation)}`;
    for (let attempt = 1; ; attempt += 1) {
      await pace.turn(`${key}|hour`, long, urgency);
      await pace.turn(key, short, urgency);
      await pace.turn('all', ALL, urgency);
      try {
        return await call();
      } catch (error) {
        silence(pace, key, short, error);
        if (!repeatable || attempt === TRIES || !isPassing(error)) throw error;
        const wait = FIRST_WAIT_MS * 2 ** (attempt - 1) * (0.5 + random());
        await new Promise<void>((wake) => after(wait, wake));
      }
    }
  }

  return (urgency) => ({
    receive: (...turn) => calls.receive(...turn),
    post: (reference, ...card) => paced('message', reference.conversation.id, urgency, false, () => calls.post(reference, ...card)),
    update: (reference, ...card) => paced('message', reference.conversation.id, urgency, true, () => calls.update(reference, ...card)),
    say: (reference, text) => paced('message', reference.conversation.id, urgency, false, () => calls.say(reference, text)),
    // A press waits for it, and is answered in time or not at all: it is not tried again.
    member: (context, id) => paced('question', conversationOf(context), urgency, false, () => calls.member(context, id)),
    roster: (reference, most) => paced('question', reference.conversation.id, urgency, true, () => calls.roster(reference, most)),
    // Teams answers with the conversation that there is.
    createPersonal: (from, tenantId, user) => paced('message', `new ${user}`, urgency, true, () => calls.createPersonal(from, tenantId, user)),
    nameOf: (context, place) => paced('question', place.place, urgency, true, () => calls.nameOf(context, place)),
  });
}

function silence(pace: Pace, key: string, limit: PaceLimit, error: unknown): void {
  if (error instanceof PlatformError && error.code === 'rate_limited' && error.retryAfterSeconds !== null) pace.pause(key, limit, error.retryAfterSeconds);
}

const conversationOf = ({ activity }: TurnContext): string => activity.conversation.id;
