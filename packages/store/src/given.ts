import type { DecisionRecord } from '@countersign/core/ports';

/** The members of a decision that are there only where they were given: one document in the column `given`. */
export type Given = Pick<DecisionRecord, 'ticket' | 'acknowledged' | 'delegate_for' | 'break_glass' | 'self_approved' | 'passkey' | 'alike' | 'ask_again'>;

/** As JSON; null where nothing was given. */
export function givenOf({ ticket, acknowledged, delegate_for, break_glass, self_approved, passkey, alike, ask_again }: DecisionRecord): string | null {
  const text = JSON.stringify({ ticket, acknowledged, delegate_for, break_glass, self_approved, passkey, alike, ask_again });
  return text === '{}' ? null : text;
}
