import type { Finding, JsonObject, PersonView } from '@countersign/contracts';
import type { DelegationRecord, ProposalRecord, QuestionRecord, RequestState, ReviewRecord } from '@countersign/core/ports';
import { instant, instantOrNull } from './instants.js';

/* How rows beside a request become records; as in rows.ts their shapes are what our own statements wrote. */

interface QuestionJson {
  id: string;
  request_id: string;
  person: PersonView;
  text: string;
  asked_at: string;
  answer: QuestionRecord['answer'];
}

interface ProposalJson {
  id: string;
  request_id: string;
  person: PersonView;
  parameters: JsonObject;
  reason: string | null;
  proposed_at: string;
  /** In hexadecimal: JSON has no bytes. */
  sealed: string;
  accepted_as: string | null;
  accepted_at: string | null;
}

export interface ReviewRow {
  id: string;
  request_id: string;
  groups: string[];
  opened_at: Date | string;
  due_at: Date | string;
  finding: Finding | null;
  note: string | null;
  reviewed_by: PersonView | null;
  reviewed_at: Date | string | null;
}

export interface FollowUpColumns {
  questions: QuestionJson[] | null;
  proposals: ProposalJson[] | null;
  reviews: ReviewRow[] | null;
  read_at: Date;
}

/** Selects what followUpsOf reads, from a table or subquery `r` of action_requests. */
export const FOLLOW_UP_COLUMNS = `(SELECT json_agg(q ORDER BY q.asked_at, q.id) FROM questions q WHERE q.tenant = r.tenant AND q.request_id = r.id) AS questions,
  (SELECT json_agg(json_build_object('id', x.id, 'request_id', x.request_id, 'person', x.person, 'parameters', x.parameters, 'reason', x.reason,
      'proposed_at', x.proposed_at, 'sealed', encode(x.sealed_parameters, 'hex'), 'accepted_as', x.accepted_as, 'accepted_at', x.accepted_at)
    ORDER BY x.proposed_at, x.id) FROM proposals x WHERE x.tenant = r.tenant AND x.request_id = r.id) AS proposals,
  (SELECT json_agg(v ORDER BY v.opened_at, v.id) FROM reviews v WHERE v.tenant = r.tenant AND v.request_id = r.id) AS reviews,
  clock_timestamp() AS read_at`;

export function followUpsOf(row: FollowUpColumns): Pick<RequestState, 'questions' | 'proposals' | 'reviews' | 'read_at'> {
  return {
    questions: (row.questions ?? []).map(({ id, request_id, person, text, asked_at, answer }) => ({
      ...{ id, request_id, person, text, asked_at: instant(asked_at), answer },
    })),
    proposals: (row.proposals ?? []).map(proposalOf),
    reviews: (row.reviews ?? []).map(reviewOf),
    read_at: instant(row.read_at),
  };
}

export function reviewOf(row: ReviewRow): ReviewRecord {
  const { id, request_id, groups, finding, note, reviewed_by } = row;
  return {
    ...{ id, request_id, groups, finding, note, reviewed_by },
    opened_at: instant(row.opened_at),
    due_at: instant(row.due_at),
    reviewed_at: instantOrNull(row.reviewed_at),
  };
}

function proposalOf({ sealed, proposed_at, accepted_at, ...rest }: ProposalJson): ProposalRecord {
  return { ...rest, proposed_at: instant(proposed_at), accepted_at: instantOrNull(accepted_at), sealed_parameters: Buffer.from(sealed, 'hex') };
}

export interface DelegationJson {
  tenant: string;
  id: string;
  person_id: string;
  delegate_id: string;
  from_at: Date | string;
  until_at: Date | string;
  reason: string | null;
  created_at: Date | string;
  ended_at: Date | string | null;
}

export function delegationOf({ tenant, id, person_id, delegate_id, reason, from_at, until_at, created_at, ended_at }: DelegationJson): DelegationRecord {
  return {
    ...{ tenant, id, person_id, delegate_id, reason },
    from: instant(from_at),
    until: instant(until_at),
    created_at: instant(created_at),
    ended_at: instantOrNull(ended_at),
  };
}
