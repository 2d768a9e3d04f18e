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
        text: `SELECT r.id FROM action_requests r
          WHERE r.tenant = $1 AND r.status = 'pending' AND r.expires_at > clock_timestamp() AND r.id IN (
            SELECT c.request_id FROM posted_cards c WHERE c.tenant = $1 AND c.platform = $2 AND c.place = $3 AND c.state = 'posted'
            UNION SELECT l.request_id FROM batch_requests l JOIN batches b ON b.tenant = l.tenant AND b.id = l.batch_id
              WHERE l.tenant = $1 AND l.platform = $2 AND l.place = $3 AND b.state = 'posted')
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
