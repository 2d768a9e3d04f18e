import type { Backlog, SweepStore } from '@countersign/core/ports';
import type { Database } from './database.js';
import { instant, instantOrNull } from './rows.js';

interface BacklogRow {
  due_requests: number;
  due_timers: number;
  due_deliveries: number;
  unplaced_leaves: number;
  due_cards: Record<string, number> | null;
  next_due_at: Date | null;
}

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
        next_due_at: instantOrNull(row?.next_due_at ?? null),
      };
    },
    now: async () =>
      instant((await database.run<{ now: Date }>({ name: 'now', text: 'SELECT clock_timestamp() AS now', values: [] }))[0]?.now ?? new Date(Number.NaN)),
  };
}
