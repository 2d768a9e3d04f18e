import type { DigestStore } from '@countersign/core/ports';
import { type Database, Values } from './database.js';
import { noticeMembers } from './follow-up-parts.js';

/** Which digests were made: a row for a recipient's slot, which one process writes. */
export function digestStore(database: Database): DigestStore {
  return {
    made: async (tenant, slots) => {
      const rows = await database.run<{ slot: string; recipient: string }>({
        name: 'digests-made',
        text: 'SELECT slot, recipient FROM digests WHERE tenant = $1 AND slot = ANY ($2)',
        values: [tenant, slots],
      });
      return new Set(rows.map(({ slot, recipient }) => `${slot} ${recipient}`));
    },
    make: async ({ tenant, slot, recipient, notice }) => {
      const values = new Values();
      const ofTenant = values.add(tenant, 'text');
      const gate = `gate AS (INSERT INTO digests (tenant, slot, recipient) VALUES (${ofTenant}, ${values.add(slot, 'text')}, ${values.add(recipient, 'text')})
        ON CONFLICT (tenant, slot, recipient) DO NOTHING RETURNING tenant)`;
      const [row] = await database.run<{ made: boolean }>({
        name: 'make-digest',
        text: `WITH ${[gate, ...noticeMembers(values, ofTenant, [notice], 'gate')].join(',\n')} SELECT EXISTS (SELECT FROM gate) AS made`,
        values: values.values,
      });
      return row?.made === true;
    },
    waitingAt: async (tenant, platform, place) => {
      const rows = await database.run<{ id: string }>({
        name: 'waiting-at',
        text: `SELECT r.id FROM posted_cards c JOIN action_requests r ON r.tenant = c.tenant AND r.id = c.request_id
          WHERE c.tenant = $1 AND c.platform = $2 AND c.place = $3 AND c.state = 'posted' AND r.status = 'pending' AND r.expires_at > clock_timestamp()
          ORDER BY r.expires_at, r.id LIMIT 1000`,
        values: [tenant, platform, place],
      });
      return rows.map(({ id }) => id);
    },
    skip: async ({ tenant, slot, recipient }) => {
      await database.run({
        name: 'skip-digest',
        text: 'INSERT INTO digests (tenant, slot, recipient) VALUES ($1, $2, $3) ON CONFLICT (tenant, slot, recipient) DO NOTHING',
        values: [tenant, slot, recipient],
      });
    },
  };
}
