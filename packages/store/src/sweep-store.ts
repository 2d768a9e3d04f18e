import type { Backlog, SweepStore } from '@countersign/core/ports';
import type { Database } from './database.js';
import { instant, instantOrNull } from './rows.js';

interface BacklogRow {
  due_requests: number;
  due_timers: number;
  due_deliveries: number;
  unplaced_leaves: number;
  due_cards: Record<string, number> | null;
  due_notices: Record<string, number> | null;
  next_due_at: Date | null;
}

/** For so long people may look something up that they were told. */
const KEPT_DAYS = 90;
/** So many rows are removed by one statement, so that none holds up others. */
const BATCH = 1000;

const OLD = (column: string): string => `${column} < now() - make_interval(days => $1)`;
const SETTLED = (row: string): string =>
  `EXISTS (SELECT FROM action_requests r WHERE r.tenant = ${row}.tenant AND r.id = ${row}.request_id AND r.status <> 'pending')`;
const removing = (table: string, condition: string): string =>
  `WITH gone AS (DELETE FROM ${table} WHERE ctid = ANY (ARRAY(SELECT x.ctid FROM ${table} x WHERE ${condition} LIMIT $2)) RETURNING 1)
    SELECT count(*)::int AS removed FROM gone`;

const CLEANING = [
  {
    name: 'clean-notices',
    text: `WITH old AS (SELECT n.tenant, n.id FROM notices n WHERE ${OLD('n.created_at')} LIMIT $2),
      tasks AS (DELETE FROM notice_tasks t USING old WHERE t.tenant = old.tenant AND t.notice_id = old.id),
      told AS (DELETE FROM told_notices t USING old WHERE t.tenant = old.tenant AND t.notice_id = old.id),
      gone AS (DELETE FROM notices n USING old WHERE n.tenant = old.tenant AND n.id = old.id RETURNING 1)
      SELECT count(*)::int AS removed FROM gone`,
  },
  {
    name: 'clean-batches',
    text: `WITH old AS (SELECT b.tenant, b.id FROM batches b WHERE ${OLD('b.created_at')} AND b.state IN ('closed', 'failed', 'lost') LIMIT $2),
      listed AS (DELETE FROM batch_requests r USING old WHERE r.tenant = old.tenant AND r.batch_id = old.id),
      gone AS (DELETE FROM batches b USING old WHERE b.tenant = old.tenant AND b.id = old.id RETURNING 1)
      SELECT count(*)::int AS removed FROM gone`,
  },
  { name: 'clean-digests', text: removing('digests', OLD('x.made_at')) },
  { name: 'clean-openings', text: removing('card_openings', `${OLD('x.opened_at')} AND ${SETTLED('x')}`) },
  { name: 'clean-mails', text: removing('mails', `${OLD('x.created_at')} AND (x.request_id IS NULL OR ${SETTLED('x')})`) },
  { name: 'clean-snoozes', text: removing('snoozes', `${OLD('x.set_at')} AND ${SETTLED('x')}`) },
];

/** What waits, from the partial indexes of live rows alone. */
export function sweepStore(database: Database): SweepStore {
  return {
    backlog: async (): Promise<Backlog> => {
      const [row] = await database.run<BacklogRow>({
        name: 'backlog',
        text: `SELECT
          (SELECT count(*)::int FROM action_requests WHERE status = 'pending' AND expires_at <= now()) AS due_requests,
          (SELECT count(*)::int FROM deliveries WHERE state = 'pending' AND next_attempt_at <= now()) AS due_deliveries,
          (SELECT count(*)::int FROM ledger_unplaced) AS unplaced_leaves,
          (SELECT json_object_agg(platform, due) FROM (SELECT platform, count(*) AS due FROM card_tasks
            WHERE due_at <= now() AND (leased_until IS NULL OR leased_until <= now()) GROUP BY platform) c) AS due_cards,
          (SELECT json_object_agg(platform, due) FROM (SELECT platform, count(*) AS due FROM notice_tasks
            WHERE due_at <= now() AND (leased_until IS NULL OR leased_until <= now()) GROUP BY platform) n) AS due_notices,
          least((SELECT min(expires_at) FROM action_requests WHERE status = 'pending'), (SELECT min(next_attempt_at) FROM deliveries WHERE state = 'pending'), (SELECT min(due_at) FROM timers)) AS next_due_at,
          (SELECT count(*)::int FROM timers WHERE due_at <= now()) AS due_timers`,
        values: [],
      });
      return {
        due_requests: row?.due_requests ?? 0,
        due_timers: row?.due_timers ?? 0,
        due_deliveries: row?.due_deliveries ?? 0,
        unplaced_leaves: row?.unplaced_leaves ?? 0,
        due_cards: row?.due_cards ?? {},
        due_notices: row?.due_notices ?? {},
        next_due_at: instantOrNull(row?.next_due_at ?? null),
      };
    },
    clean: async () => {
      for (const { name, text } of CLEANING) {
        for (let removed = BATCH; removed === BATCH;) {
          const [row] = await database.run<{ removed: number }>({ name, text, values: [KEPT_DAYS, BATCH] });
          removed = row?.removed ?? 0;
        }
      }
    },
    now: async () =>
      instant((await database.run<{ now: Date }>({ name: 'now', text: 'SELECT clock_timestamp() AS now', values: [] }))[0]?.now ?? new Date(Number.NaN)),
  };
}
