import type { ProposalView, QuestionView, ReviewView } from '@countersign/contracts';
import type { ProposalRecord, QuestionRecord, ReviewRecord } from '../ports.js';

/** Questions, counter-proposals and reviews as answers and callbacks show them: their texts were masked before they were stored. */
export function questionView({ id, person, text, asked_at, answer }: QuestionRecord): QuestionView {
  return { id, person, text, asked_at, answer };
}

export function proposalView({ id, person, parameters, reason, proposed_at, accepted_as, accepted_at }: ProposalRecord): ProposalView {
  return { id, person, parameters, reason, proposed_at, accepted_as, accepted_at };
}

export function reviewView({ id, request_id, groups, opened_at, due_at, finding, note, reviewed_by, reviewed_at }: ReviewRecord): ReviewView {
  return { id, action_request: request_id, groups, opened_at, due_at, finding, note, reviewed_by, reviewed_at };
}
