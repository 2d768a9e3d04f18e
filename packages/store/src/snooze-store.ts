import type { SnoozeRecord, SnoozeStore } from '@countersign/core/ports';
import { leafMembers } from './commits.js';
import { type Database, Values } from './database.js';
import { noticeMembers } from './follow-up-parts.js';
import { instantOrNull } from './rows.js';

/** Who wants no messages about which request; the timer that ends a snooze is written with it. */
export function snoozeStore(database: Database): SnoozeStore {
  const inForce = async (tenant: string, request_id: string, person_id: string | null): Promise<SnoozeRecord[]> => {
    const rows = await database.run<{ person_id: string; until_at: Date | null }>({
      name: 'snoozes',
      text: `SELECT person_id, until_at FROM snoozes WHERE tenant = $1 AND request_id = $2 AND ($3::text IS NULL OR person_id = $3)
        AND (until_at IS NULL OR until_at > clock_timestamp())`,
      values: [tenant, request_id, person_id],
    });
    return rows.map((row) => ({ tenant, request_id, person_id: row.person_id, until: instantOrNull(row.until_at) }));
  };
  return {
    set: async ({ tenant, request_id, person_id, until }, { leaves = [], notices = [] } = {}) => {
      const values = new Values();
      const ofTenant = values.add(tenant, 'text');
      const request = values.add(request_id, 'text');
      const person = values.add(person_id, 'text');
      const end = values.add(until, 'timestamptz');
      const logged = leafMembers(values, ofTenant, leaves, 'gate');
      const members = [
        `gate AS (INSERT INTO snoozes AS s (tenant, request_id, person_id, until_at)
          SELECT r.tenant, r.id, ${person}, ${end} FROM action_requests r WHERE r.tenant = ${ofTenant} AND r.id = ${request} AND r.status = 'pending'
          ON CONFLICT (tenant, request_id, person_id) DO UPDATE SET until_at = excluded.until_at, set_at = now() RETURNING s.tenant, s.number)`,
        `woken AS (INSERT INTO timers (tenant, request_id, kind, number, due_at, detail)
          SELECT ${ofTenant}, ${request}, 'snooze', gate.number, ${end}, json_build_object('person', ${person}) FROM gate WHERE ${end} IS NOT NULL
          ON CONFLICT (tenant, request_id, kind, number) DO UPDATE SET due_at = excluded.due_at)`,
        `unwoken AS (DELETE FROM timers t USING gate WHERE ${end} IS NULL AND t.tenant = ${ofTenant} AND t.request_id = ${request} AND t.kind = 'snooze' AND t.number = gate.number)`,
        ...(notices.length === 0 ? [] : noticeMembers(values, ofTenant, notices, 'gate')),
        ...logged.members,
      ];
      const [row] = await database.run<{ set: boolean }>({
        name: `set-snooze:N${notices.length}:${logged.variant}`,
        text: `WITH ${members.join(',\n')} SELECT EXISTS (SELECT FROM gate) AS set`,
        values: values.values,
      });
      return row?.set === true;
    },
    of: async (tenant, request_id, person_id) => (await inForce(tenant, request_id, person_id))[0] ?? null,
    list: (tenant, request_id) => inForce(tenant, request_id, null),
  };
}
