import type { FreezeRecord, FreezeStore } from '@countersign/core/ports';
import { leafMembers } from './commits.js';
import { hasLeaf } from './control.js';
import { type Database, Values } from './database.js';
import { FREEZE_COVERS, MAY_RUN } from './freeze-conditions.js';
import { instant, instantOrNull } from './rows.js';

/** Freezes. Placing one takes the lock that every commit shares, so that none is under way which has not seen it. */
export function freezeStore(database: Database): FreezeStore {
  return {
    place: (freeze, leaf) => place(database, freeze, leaf),
    lift: (lift) => liftFreeze(database, lift),
    get: async (tenant, id) => {
      const [row] = await database.run<FreezeRow>({
        name: 'freeze',
        text: `SELECT ${COLUMNS} FROM freezes WHERE tenant = $1 AND id = $2`,
        values: [tenant, id],
      });
      return row === undefined ? null : freezeOf(row);
    },
    list: async (tenant, { open, limit }) => {
      const rows = await database.run<FreezeRow>({
        name: open ? 'freezes:open' : 'freezes',
        text: `SELECT ${COLUMNS} FROM freezes WHERE tenant = $1 ${open ? 'AND lifted_at IS NULL AND (expires_at IS NULL OR expires_at > now())' : ''}
          ORDER BY placed_at DESC, id DESC LIMIT $2`,
        values: [tenant, limit],
      });
      return rows.map(freezeOf);
    },
    over: (limit) =>
      database.run({
        name: 'freezes:over',
        text: 'SELECT tenant, id FROM freezes WHERE lifted_at IS NULL AND expires_at <= now() ORDER BY expires_at LIMIT $1',
        values: [limit],
      }),
  };
}

type FreezeRow = Omit<FreezeRecord, 'placed_at' | 'expires_at' | 'lifted_at'> & { placed_at: Date; expires_at: Date | null; lifted_at: Date | null };

const COLUMNS = 'tenant, id, scope, actor_people, reason, placed_by, placed_at, expires_at, lifted_at, lifted_by, lift_reason';

async function place(database: Database, freeze: FreezeRecord, leaf: Parameters<FreezeStore['place']>[1]): Promise<{ holds: number }> {
  const { scope } = freeze;
  const values = new Values();
  const tenant = values.add(freeze.tenant, 'text');
  const { members } = leafMembers(values, tenant, [leaf], 'gate');
  const row = [
    tenant,
    values.add(freeze.id, 'text'),
    values.add(JSON.stringify(scope), 'json'),
    `countersign_fold(${values.add('actor' in scope ? (scope.actor ?? null) : null, 'text')})`,
    values.add(freeze.actor_people, 'text[]'),
    values.add('caller' in scope ? (scope.caller ?? null) : null, 'text'),
    values.add('action' in scope && scope.action !== undefined ? likeOf(scope.action) : null, 'text'),
    values.add(freeze.reason, 'text'),
    values.add(JSON.stringify(freeze.placed_by), 'json'),
    values.add(freeze.placed_at, 'timestamptz'),
    values.add(freeze.expires_at, 'timestamptz'),
  ].join(', ');
  const insert = `WITH gate AS (INSERT INTO freezes (tenant, id, scope, actor_fold, actor_people, caller, action_like, reason, placed_by, placed_at, expires_at) VALUES (${row})
      ON CONFLICT DO NOTHING RETURNING tenant) ${members.map((member) => `, ${member}`).join('\n')} SELECT 1`;
  await database.transaction(async (client) => {
    await client.query('SELECT countersign_take_control($1)', [freeze.tenant]);
    await client.query(insert, values.values);
  });
  return { holds: await tellCards(database, freeze.tenant, freeze.id) };
}

/** Whoever placed a freeze does not lift it; that its time is over says the database's clock. */
async function liftFreeze(database: Database, { tenant: of, id, at, by, reason, leaf }: Parameters<FreezeStore['lift']>[0]): Promise<{ changed: boolean }> {
  const values = new Values();
  const tenant = values.add(of, 'text');
  const { members } = leafMembers(values, tenant, [leaf], 'gate');
  const lifted_by = values.add(by === null ? null : JSON.stringify(by), 'json');
  const may = by === null ? 'expires_at <= clock_timestamp()' : `placed_by->>'id' <> ${values.add(by.id, 'text')}`;
  const { rows, again } = await database.runCounting<{ changed: boolean }>({
    name: by === null ? 'freeze:over' : 'freeze:lift',
    text: `WITH gate AS (UPDATE freezes SET lifted_at = ${values.add(at, 'timestamptz')}, lifted_by = ${lifted_by}, lift_reason = ${values.add(reason, 'text')}
        WHERE tenant = ${tenant} AND id = ${values.add(id, 'text')} AND lifted_at IS NULL AND ${may} RETURNING tenant)
      ${members.map((member) => `, ${member}`).join('\n')} SELECT EXISTS (SELECT FROM gate) AS changed`,
    values: values.values,
  });
  // The answer of an earlier try got lost: its leaf tells whether it was us.
  const changed = rows[0]?.changed === true || (again && (await hasLeaf(database, of, leaf.id)));
  if (changed) await tellCards(database, of, id);
  return { changed };
}

/**
 * Asks for the cards of what a freeze is about to be brought up to date. The version of each request rises, since a card is posted anew for
 * a newer one; whoever planned a commit on the old one plans again.
 */
async function tellCards(database: Database, tenant: string, id: string): Promise<number> {
  const [row] = await database.run<{ count: number }>({
    name: 'freeze:cards',
    text: `WITH held AS (SELECT r.id FROM action_requests r, freezes f WHERE f.tenant = $1 AND f.id = $2 AND r.tenant = $1 AND ${MAY_RUN} AND ${FREEZE_COVERS}
        ORDER BY r.id FOR UPDATE OF r),
      risen AS (UPDATE action_requests r SET version = r.version + 1 FROM held WHERE r.tenant = $1 AND r.id = held.id),
      cards AS (INSERT INTO card_tasks (tenant, platform, request_id) SELECT p.tenant, p.platform, h.id FROM held h, chat_platforms p WHERE p.tenant = $1
        ON CONFLICT (tenant, platform, request_id) DO UPDATE SET revision = excluded.revision, attempts = 0, due_at = now())
      SELECT count(*)::int AS count FROM held`,
    values: [tenant, id],
  });
  return row?.count ?? 0;
}

/** In small letters, as actions are compared; only `*` is special. */
function likeOf(pattern: string): string {
  return pattern
    .toLowerCase()
    .replaceAll(/[\\%_]/g, (special) => `\\${special}`)
    .replaceAll('*', '%');
}

function freezeOf(row: FreezeRow): FreezeRecord {
  return { ...row, placed_at: instant(row.placed_at), expires_at: instantOrNull(row.expires_at), lifted_at: instantOrNull(row.lifted_at) };
}
