import { ADMINISTRATORS } from '@countersign/contracts';
import type { ConfigChangeEnd, ConfigChangeRecord, ConfigChangeStore } from '@countersign/core/ports';
import { leafMembers } from './commits.js';
import { type Database, Values } from './database.js';
import { instant, instantOrNull } from './rows.js';

/** Changes of the configuration that wait for a second person. They are proposed and begun in commits of their requests (commits.ts). */
export function configChangeStore(database: Database): ConfigChangeStore {
  return {
    get: async (tenant, id) => {
      const [row] = await database.run<ChangeRow>({
        name: 'config-change',
        text: `SELECT ${COLUMNS} FROM config_changes WHERE tenant = $1 AND id = $2`,
        values: [tenant, id],
      });
      return row === undefined ? null : changeOf(row);
    },
    list: async (tenant, { state, limit }) => {
      const rows = await database.run<ChangeRow>({
        name: 'config-changes',
        text: `SELECT ${COLUMNS} FROM config_changes WHERE tenant = $1 AND ($2::text IS NULL OR state = $2) ORDER BY proposed_at DESC, id DESC LIMIT $3`,
        values: [tenant, state ?? null, limit],
      });
      return rows.map(changeOf);
    },
    claim: (limit, lease_seconds) =>
      database.run({
        name: 'config-changes:claim',
        text: `UPDATE config_changes c SET leased_until = now() + make_interval(secs => $2::float8), attempts = c.attempts + 1
          FROM (SELECT c.tenant, c.id FROM config_changes c JOIN action_requests r ON r.tenant = c.tenant AND r.id = c.request_id
            WHERE c.state IN ('proposed', 'applying') AND r.status <> 'pending' AND (c.leased_until IS NULL OR c.leased_until <= now())
            ORDER BY c.proposed_at LIMIT $1 FOR UPDATE OF c SKIP LOCKED) due
          WHERE c.tenant = due.tenant AND c.id = due.id RETURNING c.tenant, c.id`,
        values: [limit, lease_seconds],
      }),
    end: (tenant, id, change) => end(database, tenant, id, change),
    othersIn: async (tenant, group, person_id) => {
      const [row] = await database.run<{ count: number }>({
        name: 'others-in',
        // One human may have several entries.
        text: `SELECT count(DISTINCT p.human)::int AS count FROM directory_people p WHERE p.tenant = $1 AND p.active
            AND CASE WHEN $2 = '${ADMINISTRATORS}' THEN 'administrator' = ANY (p.roles)
              ELSE EXISTS (SELECT FROM directory_memberships m WHERE m.tenant = $1 AND m.person_id = p.id AND m.group_name = $2) END
            AND p.human NOT IN (SELECT q.human FROM directory_people q WHERE q.tenant = $1 AND q.id = $3)`,
        values: [tenant, group, person_id],
      });
      return row?.count ?? 0;
    },
  };
}

type ChangeRow = Omit<ConfigChangeRecord, 'proposed_at' | 'ended_at'> & { proposed_at: Date; ended_at: Date | null };

const COLUMNS =
  'tenant, id, kind, resource_id, sealed_payload, payload_digest, summary, proposed_by, proposed_at, request_id, state, ended_at, detail, attempts';

async function end(database: Database, of: string, id: string, change: ConfigChangeEnd): Promise<boolean> {
  const values = new Values();
  const tenant = values.add(of, 'text');
  const leaves = leafMembers(values, tenant, change.leaf === null ? [] : [change.leaf], 'gate');
  const { rows, again } = await database.runCounting<{ changed: boolean; state: string | null }>({
    name: `config-change:end:${leaves.variant}`,
    text: `WITH gate AS (UPDATE config_changes SET state = ${values.add(change.state, 'text')}, ended_at = ${values.add(change.at, 'timestamptz')},
          detail = ${values.add(change.detail, 'text')}, leased_until = NULL
        WHERE tenant = ${tenant} AND id = ${values.add(id, 'text')} AND state IN ('proposed', 'applying') RETURNING tenant)
      ${leaves.members.map((member) => `, ${member}`).join('\n')}
      SELECT EXISTS (SELECT FROM gate) AS changed, (SELECT state FROM config_changes WHERE tenant = ${tenant} AND id = ${values.add(id, 'text')}) AS state`,
    values: values.values,
  });
  // What ended as we wanted while an answer got lost was ended by us: nobody else holds the lease.
  return rows[0]?.changed === true || (again && rows[0]?.state === change.state);
}

function changeOf(row: ChangeRow): ConfigChangeRecord {
  return { ...row, proposed_at: instant(row.proposed_at), ended_at: instantOrNull(row.ended_at) };
}
