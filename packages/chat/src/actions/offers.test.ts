import { describe, expect, test } from '@jest/globals';
import type { Card } from '@countersign/contracts';
import { actionLabels, actionsOf, cardActions } from '../index.js';

const digest = `sha256:${'ab'.repeat(32)}`;
const AT = '2026-11-21T12:00:00.000Z';
const id = (prefix: string, n: number) => `${prefix}_01890000-0000-7000-8000-00000000000${String(n)}`;

/** An open card that offers nothing special. */
const CARD: Card = {
  ...{ request_id: id('ar', 1), url: 'http://localhost', status: 'pending', action_digest: digest, request_digest: digest, view_digest: digest },
  ...{ headline: 'x asks', facts: [], reason: null, parameters: [], diff: null, links: [], everything: '{}', hidden: null, warnings: [] },
  rule: { ids: [], explanation: '', policy: 'quickstart', policy_digest: digest },
  ...{ stages: [], waiting_for: null, decisions: [], outcome: null, created_at: AT, expires_at: AT, open: true, notice: null },
  reason_required: { approve: false, deny: false },
};
const question = (n: number, answered: boolean) => ({
  ...{ id: id('q', n), name: 'Alice', text: 'Why?', at: AT },
  answer: answered ? { by: 'Dana', text: 'Because' } : null,
});
const review = (n: number, open: boolean) => ({ id: id('rv', n), groups: ['data-owners'], due_at: AT, text: '', open });
const named = (card: Partial<Card>, facts = {}) => actionsOf({ ...CARD, ...card }, facts).map(({ action }) => action);

describe('which buttons a card offers', () => {
  test('an open one: what everybody may try, and what its policy has besides', () => {
    const plain = named({});
    expect(plain).toEqual(expect.arrayContaining(['ask', 'snooze', 'not_me']));
    for (const action of ['counter', 'delegate', 'break_glass', 'reveal', 'review', 'answer', 'approve', 'deny', 'bulk']) expect(plain).not.toContain(action);
    const glass = { group: 'security', quorum: 1, only: false, tickets: [], acknowledge: [], must_open: false };
    const all = named({ counter: ['parameters.rows'], stand_ins: true, break_glass: glass, hidden: 'One value is hidden', questions: [question(1, false)] });
    expect(all).toEqual(expect.arrayContaining(['counter', 'delegate', 'break_glass', 'reveal', 'answer']));
    expect(named({ hidden: 'One value is hidden' }, { reveal: false })).not.toContain('reveal');
    expect(named({ counter: [] })).not.toContain('counter');
  });

  test('of questions the oldest that waits, by its number; of reviews each that is open', () => {
    const offers = actionsOf({ ...CARD, questions: [question(1, true), question(2, false), question(3, false)] });
    expect(offers.filter(({ action }) => action === 'answer')).toEqual([{ action: 'answer', label: 'Answer question 2', subject: id('q', 2) }]);
    expect(actionsOf({ ...CARD, questions: [question(1, true)] }).some(({ action }) => action === 'answer')).toBe(false);
  });

  test('a closed one: its open reviews, and nothing that decides', () => {
    const closed = { open: false, status: 'approved' as const };
    for (const action of ['ask', 'snooze', 'not_me', 'counter', 'break_glass'] as const)
      expect(named({ ...closed, counter: ['parameters.rows'] })).not.toContain(action);
    const offers = actionsOf({ ...CARD, ...closed, reviews: [review(1, false), review(2, true)] });
    expect(offers.filter(({ action }) => action === 'review')).toMatchObject([{ subject: id('rv', 2) }]);
  });

  test('each has a short label of its own', () => {
    expect(cardActions.filter((action) => actionLabels[action].length > 24)).toEqual([]);
    expect(new Set(Object.values(actionLabels)).size).toBe(cardActions.length);
  });
});
