import type { Finding, JsonObject, PersonView } from '@countersign/contracts';
import type { ProposalRecord, QuestionRecord, ReviewRecord } from '@countersign/core/ports';
import type pg from 'pg';
import { reviewOf, type ReviewRow } from './follow-up-rows.js';
import { instant, instantOrNull } from './rows.js';

/** What stands beside one request, for whoever holds it against the ledger. */
export interface AuditedFollowUps {
  reviews: ReviewRecord[];
  questions: QuestionRecord[];
  proposals: Omit<ProposalRecord, 'sealed_parameters'>[];
  openings: { person_id: string; view_digest: string; opened_at: string }[];
  /** Those whose link was opened. */
  mails: { id: string; person_id: string; opened_at: string }[];
}

/** The tables, and the column that names the request. */
export const FOLLOW_UP_PLACES = ['reviews:request_id', 'questions:request_id', 'proposals:request_id', 'card_openings:request_id', 'mails:request_id'];

/** Reads it for a page of requests. */
export async function readFollowUps(of: <Row extends pg.QueryResultRow>(text: string) => Promise<Row[]>): Promise<(id: string) => AuditedFollowUps> {
  const where = 'WHERE tenant = $1 AND request_id = ANY ($2)';
  const [reviews, questions, proposals, openings, mails] = await Promise.all([
    of<ReviewRow & { finding: Finding | null }>(`SELECT * FROM reviews ${where} ORDER BY opened_at, id`),
    of<{ id: string; request_id: string; person: PersonView; text: string; asked_at: Date; answer: QuestionRecord['answer'] }>(
      `SELECT * FROM questions ${where} ORDER BY asked_at, id`,
    ),
    of<{
      id: string;
      request_id: string;
      person: PersonView;
      parameters: JsonObject;
      reason: string | null;
      proposed_at: Date;
      accepted_as: string | null;
      accepted_at: Date | null;
    }>(`SELECT id, request_id, person, parameters, reason, proposed_at, accepted_as, accepted_at FROM proposals ${where} ORDER BY proposed_at, id`),
    of<{ request_id: string; person_id: string; view_digest: string; opened_at: Date }>(`SELECT * FROM card_openings ${where} ORDER BY opened_at, person_id`),
    of<{ id: string; request_id: string; person_id: string; opened_at: Date }>(
      `SELECT id, request_id, person_id, opened_at FROM mails ${where} AND opened_at IS NOT NULL ORDER BY opened_at, id`,
    ),
  ]);
  return (id) => {
    const own = <Row extends { request_id: string }>(rows: readonly Row[]): Row[] => rows.filter(({ request_id }) => request_id === id);
    return {
      reviews: own(reviews).map(reviewOf),
      questions: own(questions).map(({ asked_at, person, text, answer, ...ids }) => ({
        id: ids.id,
        request_id: id,
        person,
        text,
        asked_at: instant(asked_at),
        answer,
      })),
      proposals: own(proposals).map((row) => ({ ...row, proposed_at: instant(row.proposed_at), accepted_at: instantOrNull(row.accepted_at) })),
      openings: own(openings).map(({ person_id, view_digest, opened_at }) => ({ person_id, view_digest, opened_at: instant(opened_at) })),
      mails: own(mails).map(({ request_id: _request, ...mail }) => ({ ...mail, opened_at: instant(mail.opened_at) })),
    };
  };
}
