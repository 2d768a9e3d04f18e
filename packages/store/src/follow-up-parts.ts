import type { CommitParts, NoticeRecord, ProposalRecord, QuestionRecord, ReviewRecord, TimerRecord } from '@countersign/core/ports';
import type { Values } from './database.js';

/**
 * What a commit adds beside the request: timers, notices, and its review, question and proposal, each only where `gate` yields its row.
 * Prisma's version of their meaning would be one `create` or `update` each.
 */
export function followUpMembers(values: Values, commit: CommitParts, at: { tenant: string; gate: string }): { members: string[]; variant: string } {
  const { tenant, gate } = at;
  const { timers = [], notices = [], review, question, proposal } = commit;
  const members: string[] = [];
  let variant = '';
  if (timers.length > 0) {
    variant += `T${timers.length}`;
    members.push(timersInsert(values, tenant, timers, gate));
  }
  if (notices.length > 0) {
    variant += `N${notices.length}`;
    members.push(...noticeMembers(values, tenant, notices, gate));
  }
  if (review !== undefined) {
    variant += review.kind === 'opened' ? 'V' : 'W';
    members.push(review.kind === 'opened' ? reviewInsert(values, tenant, review.record, gate) : reviewUpdate(values, tenant, review.record, gate));
  }
  if (question !== undefined) {
    variant += question.kind === 'asked' ? 'Q' : 'a';
    members.push(question.kind === 'asked' ? questionInsert(values, tenant, question.record, gate) : questionUpdate(values, tenant, question.record, gate));
  }
  if (proposal !== undefined) {
    variant += proposal.kind === 'made' ? 'M' : 'y';
    members.push(proposal.kind === 'made' ? proposalInsert(values, tenant, proposal.record, gate) : proposalUpdate(values, tenant, proposal.record, gate));
  }
  return { members, variant };
}

function timersInsert(values: Values, tenant: string, timers: readonly TimerRecord[], gate: string): string {
  const rows = timers.map(({ request_id, kind, number, due_at, detail }) =>
    row(
      values.add(request_id, 'text'),
      values.add(kind, 'text'),
      values.add(number, 'int'),
      values.add(due_at, 'timestamptz'),
      values.add(JSON.stringify(detail), 'json'),
    ),
  );
  return `timed AS (INSERT INTO timers (tenant, request_id, kind, number, due_at, detail) SELECT ${tenant}, t.* FROM ${gate}, (VALUES ${rows.join(', ')}) AS t)`;
}

/** The notices, and for each connected platform the task to tell them. */
export function noticeMembers(values: Values, tenant: string, notices: readonly NoticeRecord[], gate: string): string[] {
  const rows = notices.map((notice) =>
    row(
      values.add(notice.id, 'text'),
      values.add(notice.kind, 'text'),
      values.add(notice.request_id, 'text'),
      values.add(notice.groups, 'text[]'),
      values.add(notice.people, 'text[]'),
      values.add(JSON.stringify(notice.channels), 'json'),
      values.add(notice.text, 'text'),
      values.add(notice.at, 'timestamptz'),
    ),
  );
  return [
    `noticed AS (INSERT INTO notices (tenant, id, kind, request_id, groups, people, channels, text, at)
      SELECT ${tenant}, n.* FROM ${gate}, (VALUES ${rows.join(', ')}) AS n RETURNING tenant, id)`,
    `notice_task AS (INSERT INTO notice_tasks (tenant, platform, notice_id)
      SELECT n.tenant, p.platform, n.id FROM noticed n JOIN chat_platforms p ON p.tenant = n.tenant)`,
  ];
}

function reviewInsert(values: Values, tenant: string, review: ReviewRecord, gate: string): string {
  return `review AS (INSERT INTO reviews (tenant, id, request_id, groups, opened_at, due_at) SELECT ${[
    tenant,
    values.add(review.id, 'text'),
    values.add(review.request_id, 'text'),
    values.add(review.groups, 'text[]'),
    values.add(review.opened_at, 'timestamptz'),
    values.add(review.due_at, 'timestamptz'),
  ].join(', ')} FROM ${gate})`;
}

function reviewUpdate(values: Values, tenant: string, review: ReviewRecord, gate: string): string {
  return `review AS (UPDATE reviews SET finding = ${values.add(review.finding, 'text')}, note = ${values.add(review.note, 'text')},
      reviewed_by = ${values.add(JSON.stringify(review.reviewed_by), 'json')}, reviewed_at = ${values.add(review.reviewed_at, 'timestamptz')}
    FROM ${gate} WHERE reviews.tenant = ${tenant} AND reviews.id = ${values.add(review.id, 'text')} AND reviews.finding IS NULL)`;
}

function questionInsert(values: Values, tenant: string, question: QuestionRecord, gate: string): string {
  return `question AS (INSERT INTO questions (tenant, id, request_id, person, text, asked_at) SELECT ${[
    tenant,
    values.add(question.id, 'text'),
    values.add(question.request_id, 'text'),
    values.add(JSON.stringify(question.person), 'json'),
    values.add(question.text, 'text'),
    values.add(question.asked_at, 'timestamptz'),
  ].join(', ')} FROM ${gate})`;
}

function questionUpdate(values: Values, tenant: string, question: QuestionRecord, gate: string): string {
  return `question AS (UPDATE questions SET answer = ${values.add(JSON.stringify(question.answer), 'json')}
    FROM ${gate} WHERE questions.tenant = ${tenant} AND questions.id = ${values.add(question.id, 'text')} AND questions.answer IS NULL)`;
}

function proposalInsert(values: Values, tenant: string, proposal: ProposalRecord, gate: string): string {
  return `proposal AS (INSERT INTO proposals (tenant, id, request_id, person, parameters, reason, proposed_at, sealed_parameters) SELECT ${[
    tenant,
    values.add(proposal.id, 'text'),
    values.add(proposal.request_id, 'text'),
    values.add(JSON.stringify(proposal.person), 'json'),
    values.add(JSON.stringify(proposal.parameters), 'json'),
    values.add(proposal.reason, 'text'),
    values.add(proposal.proposed_at, 'timestamptz'),
    values.add(proposal.sealed_parameters, 'bytea'),
  ].join(', ')} FROM ${gate})`;
}

function proposalUpdate(values: Values, tenant: string, proposal: ProposalRecord, gate: string): string {
  return `proposal AS (UPDATE proposals SET accepted_as = ${values.add(proposal.accepted_as, 'text')}, accepted_at = ${values.add(proposal.accepted_at, 'timestamptz')}
    FROM ${gate} WHERE proposals.tenant = ${tenant} AND proposals.id = ${values.add(proposal.id, 'text')} AND proposals.accepted_as IS NULL)`;
}

const row = (...cells: string[]): string => `(${cells.join(', ')})`;
