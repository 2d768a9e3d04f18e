import type { JsonObject } from '@countersign/contracts';
import type { ChatPlace, ChatPlaceStore, HeardPlace, KnownPlace, LeafRecord, PlatformName } from '@countersign/core/ports';
import { leafMembers } from './commits.js';
import { hasLeaf } from './control.js';
import { type Database, Values } from './database.js';
import { instant, instantOrNull } from './rows.js';

/** Where cards may be posted: what administrators see and say. */
export function chatPlaceStore(database: Database): ChatPlaceStore {
  return {
    list: async (tenant, { kind, limit }) =>
      (
        await database.run<KnownPlaceRow>({
          name: 'chat-places',
          text: `SELECT * FROM chat_places WHERE tenant = $1 AND ($2::text IS NULL OR kind = $2)
            ORDER BY kind = 'personal', last_heard_at DESC, id LIMIT $3`,
          values: [tenant, kind ?? null, limit],
        })
      ).map(knownPlaceOf),
    get: async (tenant, id) => {
      const [row] = await database.run<KnownPlaceRow>({
        name: 'chat-place',
        text: 'SELECT * FROM chat_places WHERE tenant = $1 AND id = $2',
        values: [tenant, id],
      });
      return row === undefined ? null : knownPlaceOf(row);
    },
    decide: (tenant, id, decided, leaf) => decide(database, tenant, id, decided, leaf),
  };
}

async function decide(
  database: Database,
  of: string,
  id: string,
  { allowed, by, at }: Parameters<ChatPlaceStore['decide']>[2],
  leaf: LeafRecord,
): Promise<boolean> {
  const values = new Values();
  const tenant = values.add(of, 'text');
  const to = values.add(allowed, 'bool');
  const { members } = leafMembers(values, tenant, [leaf], 'gate');
  // Of an open request a card may be missing there now; the version does not rise, for the cards that stand say the same.
  const cards = `cards AS (INSERT INTO card_tasks (tenant, platform, request_id)
      SELECT p.tenant, p.platform, r.id FROM gate JOIN chat_platforms p ON p.tenant = ${tenant} AND p.platform = gate.platform
        JOIN action_requests r ON r.tenant = ${tenant} AND r.status = 'pending' WHERE ${to}
      ON CONFLICT (tenant, platform, request_id) DO UPDATE SET revision = excluded.revision, attempts = 0, due_at = now())`;
  const { rows, again } = await database.runCounting<{ changed: boolean }>({
    name: 'chat-place:decide',
    text: `WITH gate AS (UPDATE chat_places SET allowed = ${to}, decided_by = ${values.add(JSON.stringify(by), 'json')}, decided_at = ${values.add(at, 'timestamptz')}
        WHERE tenant = ${tenant} AND id = ${values.add(id, 'text')} AND allowed <> ${to} AND kind <> 'personal' RETURNING tenant, platform)
      ${[...members, cards].map((member) => `, ${member}`).join('\n')} SELECT EXISTS (SELECT FROM gate) AS changed`,
    values: values.values,
  });
  // The answer of an earlier try got lost: its leaf tells whether it was us.
  return rows[0]?.changed === true || (again && (await hasLeaf(database, of, leaf.id)));
}

/** One statement, since every press says again how to write there. Prisma's version of its meaning is an upsert by tenant, platform and place. */
export async function rememberPlace(database: Database, place: HeardPlace): Promise<void> {
  const { tenant, id, platform, kind, reference, user, name, addressed } = place;
  await database.run({
    name: 'remember-place',
    text: `INSERT INTO chat_places AS known (tenant, id, platform, place, kind, reference, "user", name, addressed)
        VALUES ($1, $2, $3, $4, $5, $6::json, $7, $8, $9)
      ON CONFLICT (tenant, platform, place) DO UPDATE SET kind = excluded.kind, reference = excluded.reference, "user" = excluded."user",
        name = coalesce(excluded.name, known.name), addressed = known.addressed OR excluded.addressed,
        last_heard_at = CASE WHEN excluded.reference->>'removed' = 'true' THEN known.last_heard_at ELSE now() END`,
    values: [tenant, id, platform, place.place, kind, JSON.stringify(reference), user, name, addressed],
  });
}

export async function placesOf(database: Database, tenant: string, platform: PlatformName): Promise<ChatPlace[]> {
  const rows = await database.run<KnownPlaceRow>({
    name: 'places-of-platform',
    text: 'SELECT * FROM chat_places WHERE tenant = $1 AND platform = $2 ORDER BY place',
    values: [tenant, platform],
  });
  return rows.map(placeOf);
}

interface KnownPlaceRow {
  id: string;
  tenant: string;
  platform: string;
  place: string;
  kind: string;
  reference: JsonObject;
  user: string | null;
  name: string | null;
  addressed: boolean;
  allowed: boolean;
  decided_by: KnownPlace['decided_by'];
  decided_at: Date | null;
  first_heard_at: Date;
  last_heard_at: Date;
}

/** The columns hold what this file wrote: a platform's name, and one of the kinds. */
function placeOf({ id, tenant, platform, place, kind, reference, user, name, addressed, allowed }: KnownPlaceRow): ChatPlace {
  return { id, tenant, platform: platform as PlatformName, place, kind: kind as ChatPlace['kind'], reference, user, name, addressed, allowed };
}

function knownPlaceOf(row: KnownPlaceRow): KnownPlace {
  return {
    ...placeOf(row),
    decided_by: row.decided_by,
    decided_at: instantOrNull(row.decided_at),
    first_heard_at: instant(row.first_heard_at),
    last_heard_at: instant(row.last_heard_at),
  };
}
