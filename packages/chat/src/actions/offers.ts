import type { Card } from '@countersign/contracts';
import type { CardAction } from '../actions.js';

/** A button for an action, with its short label. `subject`: what it is about besides the request. */
export interface ActionOffer {
  label: string;
  action: CardAction;
  subject?: string;
}

/**
 * Which actions a card offers besides Approve and Deny, the most important first. Everybody sees the same card, so it lists what may be done
 * by somebody; whether by this person is judged at the press.
 *
 * @param facts `reveal` false: policy lets nobody see masked values, so that none are offered
 */
export function actionsOf(card: Card, facts: { reveal?: boolean } = {}): ActionOffer[] {
  const reviews = (card.reviews ?? []).filter(({ open }) => open).map(({ id }): ActionOffer => ({ ...offer('review'), subject: id }));
  const masked = card.hidden !== null && facts.reveal !== false;
  if (!card.open) return [...reviews, ...(reviews.length > 0 && masked ? [offer('reveal')] : [])];
  const questions = card.questions ?? [];
  const answers = questions.flatMap(({ id, answer }, index): ActionOffer[] =>
    answer === null ? [{ ...offer('answer'), label: questions.length === 1 ? actionLabels.answer : `Answer question ${String(index + 1)}`, subject: id }] : [],
  );
  return [
    // The oldest first: each card shows few buttons.
    ...answers.slice(0, 1),
    offer('ask'),
    ...((card.counter ?? []).length === 0 ? [] : [offer('counter')]),
    offer('why'),
    ...(masked ? [offer('reveal')] : []),
    offer('snooze'),
    ...(card.stand_ins === true ? [offer('delegate')] : []),
    offer('not_me'),
    ...(card.break_glass === undefined ? [] : [offer('break_glass')]),
    ...reviews,
  ];
}

const offer = (action: CardAction): ActionOffer => ({ label: actionLabels[action], action });

/** What the buttons say; at most 24 characters. */
export const actionLabels: Readonly<Record<CardAction, string>> = {
  ask: 'Ask a question',
  answer: 'Answer the question',
  counter: 'Propose other values',
  snooze: 'Snooze',
  delegate: 'Hand over',
  not_me: 'Not for me',
  break_glass: 'Break glass',
  review: 'Review',
  reveal: 'Reveal',
  why: 'Why does policy ask?',
  bulk: 'Decide together',
  approve: 'Approve',
  deny: 'Deny',
};
