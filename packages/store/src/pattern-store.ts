import type { PatternRecord, PatternStore } from '@countersign/core/ports';
import { leafMembers } from './commits.js';
import { hasLeaf } from './control.js';
import { type Database, Values } from './database.js';
import { instant, instantOrNull } from './rows.js';

/** Approved patterns. They are made by the commit of an approval and used by that of an opening (commits.ts, request-store.ts). */
export function patternStore(database: Database): PatternStore {
  return {
    live: async (tenant, match_key) => {
      const rows = await database.run<PatternRow>({
        name: 'patterns:live',
        text: `SELECT ${COLUMNS} FROM patterns WHERE tenant = $1 AND match_key = $2 AND revoked_at IS NULL AND used < uses AND expires_at > clock_timestamp()
          ORDER BY created_at, id LIMIT 20`,
        values: [tenant, match_key],
      });
      return rows.map(patternOf);
    },
    get: async (tenant, id) => {
      const [row] = await database.run<PatternRow>({
        name: 'pattern',
        text: `SELECT ${COLUMNS} FROM patterns WHERE tenant = $1 AND id = $2`,
        values: [tenant, id],
      });
      return row === undefined ? null : patternOf(row);
    },
    list: async (tenant, { live, limit }) => {
      const rows = await database.run<PatternRow>({
        name: live ? 'patterns:open' : 'patterns',
        text: `SELECT ${COLUMNS} FROM patterns WHERE tenant = $1 ${live ? 'AND revoked_at IS NULL AND used < uses AND expires_at > clock_timestamp()' : ''}
          ORDER BY created_at DESC, id DESC LIMIT $2`,
        values: [tenant, limit],
      });
      return rows.map(patternOf);
    },
    revoke: async ({ tenant: of, id, at, by, leaf }) => {
      const values = new Values();
      const tenant = values.add(of, 'text');
      const { members } = leafMembers(values, tenant, [leaf], 'gate');
      const { rows, again } = await database.runCounting<{ changed: boolean }>({
        name: 'pattern:revoke',
        text: `WITH gate AS (UPDATE patterns SET revoked_at = ${values.add(at, 'timestamptz')}, revoked_by = ${values.add(JSON.stringify(by), 'json')}
            WHERE tenant = ${tenant} AND id = ${values.add(id, 'text')} AND revoked_at IS NULL RETURNING tenant)
          ${members.map((member) => `, ${member}`).join('\n')} SELECT EXISTS (SELECT FROM gate) AS changed`,
        values: values.values,
      });
      return { changed: rows[0]?.changed === true || (again && (await hasLeaf(database, of, leaf.id))) };
    },
  };
}

type PatternRow = Omit<PatternRecord, 'created_at' | 'expires_at' | 'revoked_at'> & { created_at: Date; expires_at: Date; revoked_at: Date | null };

const COLUMNS = 'tenant, id, match_key, request_id, created_by, created_at, expires_at, uses, used, revoked_at, revoked_by, document, sealed_pins';

function patternOf(row: PatternRow): PatternRecord {
  return { ...row, created_at: instant(row.created_at), expires_at: instant(row.expires_at), revoked_at: instantOrNull(row.revoked_at) };
}
