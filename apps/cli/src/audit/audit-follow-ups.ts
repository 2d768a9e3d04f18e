import type { AuditedRequest } from '@countersign/store';
import { leafless, RowCheck, rowless } from './row-check.js';
import type { Finding } from './finding.js';
import type { OpenedLeaf } from './request-leaves.js';

/** Holds questions, counter-proposals, reviews, opened views and opened mails of a request against their leaves, both ways. */
export function auditFollowUps({ followUps }: AuditedRequest, leaves: readonly OpenedLeaf[], findings: Finding[]): void {
  const { reviews, questions, proposals, openings, mails } = followUps;
  const one = (event: string, member: string, id: string): OpenedLeaf | undefined => leaves.find((leaf) => leaf.event === event && leaf.facts[member] === id);
  const check = (table: string, id: string, event: string, leaf: OpenedLeaf | undefined): RowCheck | null => {
    if (leaf === undefined) findings.push(leafless(table, id, event));
    return leaf === undefined ? null : new RowCheck({ table, row: id }, leaf, findings);
  };
  const each = (table: string, event: string, member: string, ids: readonly string[]): void => {
    for (const leaf of leaves) {
      const id = leaf.facts[member];
      if (leaf.event === event && typeof id === 'string' && !ids.includes(id)) findings.push(rowless(table, id, leaf));
    }
  };

  for (const review of reviews) {
    const opened = one('review.opened', 'review', review.id);
    const row = check('reviews', review.id, 'review.opened', opened);
    row?.same('opened_at', review.opened_at, opened?.at);
    row?.same('due_at', review.due_at, opened?.facts['due_at']);
    if (opened?.details != null) row?.same('groups', review.groups, opened.details['groups']);
    const completed = one('review.completed', 'review', review.id);
    if (review.finding === null) {
      if (completed !== undefined) new RowCheck({ table: 'reviews', row: review.id }, completed, findings).same('finding', null, completed.facts['finding']);
      continue;
    }
    const done = check('reviews', review.id, 'review.completed', completed);
    done?.same('finding', review.finding, completed?.facts['finding']);
    done?.same('reviewed_at', review.reviewed_at, completed?.at);
    if (completed?.details == null) continue;
    done?.same('reviewed_by', review.reviewed_by, completed.details['person']);
    done?.same('note', review.note, completed.details['note']);
  }
  each(
    'reviews',
    'review.opened',
    'review',
    reviews.map(({ id }) => id),
  );

  for (const question of questions) {
    const asked = one('question.asked', 'question', question.id);
    const row = check('questions', question.id, 'question.asked', asked);
    row?.same('asked_at', question.asked_at, asked?.at);
    if (asked?.details != null) for (const part of ['person', 'text'] as const) row?.same(part, question[part], asked.details[part]);
    const answered = one('question.answered', 'question', question.id);
    if (question.answer === null && answered === undefined) continue;
    const reply = check('questions', question.id, 'question.answered', answered);
    if (answered?.details != null) reply?.same('answer', question.answer, { ...answered.details, answered_at: answered.at });
  }
  each(
    'questions',
    'question.asked',
    'question',
    questions.map(({ id }) => id),
  );

  for (const proposal of proposals) {
    const made = one('proposal.made', 'proposal', proposal.id);
    const row = check('proposals', proposal.id, 'proposal.made', made);
    row?.same('proposed_at', proposal.proposed_at, made?.at);
    if (made?.details != null) for (const part of ['person', 'parameters', 'reason'] as const) row?.same(part, proposal[part], made.details[part]);
    const accepted = one('proposal.accepted', 'proposal', proposal.id);
    if (proposal.accepted_as === null && accepted === undefined) continue;
    check('proposals', proposal.id, 'proposal.accepted', accepted)?.same('accepted_as', proposal.accepted_as, accepted?.facts['accepted_as']);
  }
  each(
    'proposals',
    'proposal.made',
    'proposal',
    proposals.map(({ id }) => id),
  );

  for (const opening of openings) {
    const key = `${opening.person_id} ${opening.view_digest}`;
    const ofPerson = leaves.filter(({ event, at }) => event === 'card.opened' && at === opening.opened_at);
    const leaf = ofPerson.find(({ details }) => details === null || (isPerson(details['person']) && details['person'].id === opening.person_id));
    const row = check('card_openings', key, 'card.opened', leaf);
    if (leaf?.details != null) row?.same('view_digest', opening.view_digest, leaf.details['view_digest']);
  }
  const opened = leaves.filter(({ event }) => event === 'card.opened');
  // The service keeps them for 90 days, by its own clock; the ledger for ever.
  const since = new Date(Date.now() - 89 * 86_400_000).toISOString();
  const over = opened.filter(({ at }) => at < since).length;
  if (opened.length - over > openings.length)
    findings.push({
      table: 'card_openings',
      row: '(of this request)',
      column: null,
      problem: `is missing: the ledger has ${opened.length} card.opened, the table ${openings.length} rows`,
    });

  for (const mail of mails) {
    const leaf = one('mail.opened', 'mail', mail.id);
    const row = check('mails', mail.id, 'mail.opened', leaf);
    row?.same('opened_at', mail.opened_at, leaf?.at);
    if (leaf?.details != null) row?.same('person_id', mail.person_id, leaf.details['person']);
  }
  const known = new Set(mails.map(({ id }) => id));
  for (const leaf of leaves) {
    const id = leaf.facts['mail'];
    if (leaf.event === 'mail.opened' && leaf.at >= since && typeof id === 'string' && !known.has(id)) findings.push(rowless('mails', id, leaf));
  }
}

const isPerson = (value: unknown): value is { id: string } => typeof value === 'object' && value !== null && 'id' in value;
