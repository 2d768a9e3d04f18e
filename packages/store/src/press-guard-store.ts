import { createHash } from 'node:crypto';
import type { PressGuardStore } from '@countersign/core/ports';
import type { Database } from './database.js';

/** Which presses and commands were taken: a row for each, which the first process writes. */
export function pressGuardStore(database: Database): PressGuardStore {
  return {
    take: async ({ tenant, platform, key }) => {
      // At most once: where its answer gets lost nothing was done, and the person presses again.
      const rows = await database.once({
        name: 'take-press',
        text: `WITH old AS (DELETE FROM taken_presses WHERE (tenant, platform, key) IN (
            SELECT tenant, platform, key FROM taken_presses WHERE taken_at < now() - interval '2 hours' LIMIT 100 FOR UPDATE SKIP LOCKED))
          INSERT INTO taken_presses (tenant, platform, key) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING platform`,
        values: [tenant, platform, createHash('sha256').update(key, 'utf8').digest()],
      });
      return rows.length > 0;
    },
  };
}
