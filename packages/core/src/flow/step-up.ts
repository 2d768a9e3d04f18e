import type { Verdict } from '@countersign/contracts';
import { requestUrlOf } from '../card/url.js';
import type { Clock, Entropy, PasskeyStore, StepUpGiven } from '../ports.js';
import { addSeconds, newUuid } from '../request/index.js';

/** A press in a chat for which a passkey is needed. */
export interface StepUpPress {
  tenant: string;
  request_id: string;
  person_id: string;
  verdict: Verdict;
  reason: string | null;
  /** What was entered besides: the page has it, so that nobody enters it twice. */
  given?: StepUpGiven;
  via: 'slack' | 'teams';
}

/** How long what was pressed is remembered, in seconds. */
export const INTENT_SECONDS = 900;

/**
 * Remembers the press, and gives the address of the page that goes on with it. The address carries no right: the page wants the session of
 * the very person who pressed, and their passkey; to anybody else it is the request's page, and says that the press was not theirs.
 */
export async function stepUpLink(
  deps: { passkeys: Pick<PasskeyStore, 'insertIntent'>; clock: Clock; entropy: Entropy; publicUrl: string },
  press: StepUpPress,
): Promise<string> {
  const created_at = deps.clock.now();
  const id = newUuid(created_at, deps.entropy.bytes(10));
  await deps.passkeys.insertIntent({ given: {}, ...press, id, created_at, expires_at: addSeconds(created_at, INTENT_SECONDS), used_at: null });
  return `${requestUrlOf(deps.publicUrl, press.request_id)}#step-up/${id}`;
}
