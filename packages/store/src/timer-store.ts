import type { JsonObject } from '@countersign/contracts';
import type { TimerKind, TimerStore } from '@countersign/core/ports';
import { leafMembers } from './commits.js';
import { type Database, Values } from './database.js';
import { noticeMembers } from './follow-up-parts.js';
import { instant } from './rows.js';

interface TimerRow {
  tenant: string;
  request_id: string;
  kind: TimerKind;
  number: number;
  due_at: Date;
  detail: JsonObject;
}

/** Timers are rows that go with their happening: whoever deletes the row makes it happen, so each happens once. */
export function timerStore(database: Database): TimerStore {
  return {
    due: async (limit) => {
      const rows = await database.run<TimerRow>({
        name: 'due-timers',
        text: 'SELECT tenant, request_id, kind, number, due_at, detail FROM timers WHERE due_at <= clock_timestamp() ORDER BY due_at LIMIT $1',
        values: [limit],
      });
      return rows.map((row) => ({ ...row, due_at: instant(row.due_at) }));
    },
    fire: async (timer, firing) => {
      const values = new Values();
      const tenant = values.add(timer.tenant, 'text');
      const request = values.add(timer.request_id, 'text');
      const holds =
        firing.while === 'pending'
          ? `EXISTS (SELECT FROM action_requests r WHERE r.tenant = ${tenant} AND r.id = ${request} AND r.status = 'pending' AND r.expires_at > clock_timestamp())`
          : `EXISTS (SELECT FROM reviews v WHERE v.tenant = ${tenant} AND v.request_id = ${request} AND v.finding IS NULL)`;
      const gate = `gate AS (DELETE FROM timers t WHERE t.tenant = ${tenant} AND t.request_id = ${request} AND t.kind = ${values.add(timer.kind, 'text')}
        AND t.number = ${values.add(timer.number, 'int')} AND t.due_at <= clock_timestamp() AND ${holds} RETURNING t.tenant)`;
      const leaves = leafMembers(values, tenant, firing.leaves, 'gate');
      const card = `card AS (INSERT INTO card_tasks (tenant, platform, request_id)
        SELECT p.tenant, p.platform, ${request} FROM gate, chat_platforms p WHERE p.tenant = ${tenant}
        ON CONFLICT (tenant, platform, request_id) DO UPDATE SET revision = excluded.revision, attempts = 0, due_at = now())`;
      // Who is asked has changed, and the posted cards say so: they are brought up to date where the version rose.
      const moved = `moved AS (UPDATE action_requests r SET version = r.version + 1 FROM gate
        WHERE ${values.add(timer.kind, 'text')} = 'escalation' AND r.tenant = ${tenant} AND r.id = ${request} AND r.status = 'pending')`;
      const members = [gate, moved, ...noticeMembers(values, tenant, [firing.notice], 'gate'), card, ...leaves.members];
      const { rows, again } = await database.runCounting<{ fired: boolean }>({
        name: `fire-timer:${firing.while}:${leaves.variant}`,
        text: `WITH ${members.join(',\n')} SELECT EXISTS (SELECT FROM gate) AS fired`,
        values: values.values,
      });
      if (rows[0]?.fired === true || !again) return rows[0]?.fired === true;
      // The answer of an earlier try got lost: its notice tells whether it was us.
      const [written] = await database.run({
        name: 'fire-timer:written',
        text: 'SELECT id FROM notices WHERE tenant = $1 AND id = $2',
        values: [timer.tenant, firing.notice.id],
      });
      return written !== undefined;
    },
    drop: async ({ tenant, request_id, kind, number }) => {
      await database.run({
        name: 'drop-timer',
        text: 'DELETE FROM timers WHERE tenant = $1 AND request_id = $2 AND kind = $3 AND number = $4',
        values: [tenant, request_id, kind, number],
      });
    },
  };
}
