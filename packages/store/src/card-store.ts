import { randomUUID } from 'node:crypto';
import type { JsonObject } from '@countersign/contracts';
import type { CardStore, CardTask, LeafRecord, PlatformName, PostedCard } from '@countersign/core/ports';
import { placesOf, rememberPlace } from './chat-place-store.js';
import { leafMembers } from './commits.js';
import { type Database, Values } from './database.js';
import type { Prisma } from './generated/client.js';

/** Card tasks are a queue of requests to look at, not of messages: many reasons to look are one task. */
export function cardStore(database: Database): CardStore {
  return {
    connect: (tenant, platform) => connect(database, tenant, platform),
    attended: (tenant, platform) => attended(database, tenant, platform),
    claim: (platform, limit, leaseSeconds) => claim(database, platform, limit, leaseSeconds),
    finish: (task) => finish(database, task),
    retry: (task, delaySeconds) => retry(database, task, delaySeconds),
    posted: async (tenant, platform, request_id) =>
      (
        await database.ordinary((prisma) =>
          prisma.postedCard.findMany({ where: { tenant, platform, request_id }, orderBy: [{ created_at: 'asc' }, { id: 'asc' }] }),
        )
      ).map(cardOf),
    posting: (card) => posting(database, card),
    shown: (card, shown, leaf) => shownCard(database, card, shown, leaf),
    postedByRef: async (platform, ref) => {
      const rows = await database.run<PostedCardRow>({
        name: 'card-by-ref',
        text: 'SELECT * FROM posted_cards WHERE platform = $1 AND ref @> $2::jsonb LIMIT 2',
        values: [platform, JSON.stringify(ref)],
      });
      // A reference that fits two cards names neither.
      const [card] = rows;
      return card === undefined || rows.length > 1 ? null : cardOf(card);
    },
    rememberPlace: (place) => rememberPlace(database, place),
    places: (tenant, platform) => placesOf(database, tenant, platform),
  };
}

async function shownCard(
  database: Database,
  card: PostedCard,
  { ref, version, closed }: { ref: JsonObject; version: number; closed: boolean },
  leaf?: LeafRecord,
): Promise<void> {
  const values = new Values();
  const tenant = values.add(card.tenant, 'text');
  const { members } = leafMembers(values, tenant, leaf === undefined ? [] : [leaf], 'gate');
  // A closed card stays closed: an update that was overtaken does not open it again.
  await database.run({
    name: leaf === undefined ? 'card-shown' : 'card-shown:recorded',
    text: `WITH gate AS (UPDATE posted_cards SET ref = ${values.add(JSON.stringify(ref), 'jsonb')}, shown_version = greatest(shown_version, ${values.add(version, 'int')}),
          state = CASE WHEN ${values.add(closed, 'bool')} OR state = 'closed' THEN 'closed' ELSE 'posted' END
        WHERE tenant = ${tenant} AND id = ${values.add(card.id, 'text')} RETURNING id)
      ${members.map((member) => `, ${member}`).join('\n')}
      SELECT id FROM gate`,
    values: values.values,
  });
}

async function attended(database: Database, tenant: string, platform: PlatformName): Promise<void> {
  await database.run({
    name: 'platform-attended',
    text: 'UPDATE chat_platforms SET connected_at = now() WHERE tenant = $1 AND platform = $2',
    values: [tenant, platform],
  });
}

async function connect(database: Database, tenant: string, platform: PlatformName): Promise<void> {
  // Two statements: the second sees the requests whose commits did not see the platform yet.
  await database.ordinary((prisma) =>
    prisma.chatPlatform.upsert({ where: { tenant_platform: { tenant, platform } }, create: { tenant, platform }, update: {} }),
  );
  await attended(database, tenant, platform);
  await database.run({
    name: 'connect-platform',
    text: `INSERT INTO card_tasks (tenant, platform, request_id) SELECT tenant, $2, id FROM action_requests WHERE tenant = $1 AND status = 'pending' ON CONFLICT DO NOTHING`,
    values: [tenant, platform],
  });
}

interface CardTaskRow {
  tenant: string;
  platform: PlatformName;
  request_id: string;
  revision: string;
  attempts: number;
}

async function claim(database: Database, platform: PlatformName, limit: number, leaseSeconds: number): Promise<CardTask[]> {
  const rows = await database.run<CardTaskRow>({
    name: 'claim-cards',
    text: `WITH due AS (SELECT tenant, platform, request_id FROM card_tasks
        WHERE platform = $1 AND due_at <= now() AND (leased_until IS NULL OR leased_until <= now()) ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
      UPDATE card_tasks t SET leased_until = now() + make_interval(secs => $3), leased_revision = t.revision, attempts = t.attempts + 1
      FROM due WHERE t.tenant = due.tenant AND t.platform = due.platform AND t.request_id = due.request_id
      RETURNING t.tenant, t.platform, t.request_id, t.revision, t.attempts`,
    values: [platform, limit, leaseSeconds],
  });
  return rows.map((row) => ({ ...row, revision: Number(row.revision) }));
}

/**
 * A late worker, whose lease went to somebody with a newer revision, neither ends the task nor takes that lease away.
 *
 * Two statements, since the second needs a snapshot of its own: in one, a newer revision that commits while the first waits for its row
 * is seen by neither, and the task stays leased to nobody.
 */
async function finish(database: Database, task: CardTask): Promise<void> {
  const values = [task.tenant, task.platform, task.request_id, task.revision];
  const done = await database.run({
    name: 'finish-card',
    text: 'DELETE FROM card_tasks WHERE tenant = $1 AND platform = $2 AND request_id = $3 AND revision = $4 RETURNING revision',
    values,
  });
  if (done.length > 0) return;
  await database.run({
    name: 'finish-card:newer',
    text: 'UPDATE card_tasks SET leased_until = NULL, due_at = now() WHERE tenant = $1 AND platform = $2 AND request_id = $3 AND revision > $4 AND leased_revision = $4',
    values,
  });
}

async function retry(database: Database, task: CardTask, delaySeconds: number): Promise<void> {
  await database.run({
    name: 'retry-card',
    text: `UPDATE card_tasks SET leased_until = NULL, due_at = CASE WHEN revision = $4 THEN now() + make_interval(secs => $5) ELSE now() END
      WHERE tenant = $1 AND platform = $2 AND request_id = $3 AND leased_revision = $4`,
    values: [task.tenant, task.platform, task.request_id, task.revision, delaySeconds],
  });
}

async function posting(database: Database, card: { tenant: string; platform: PlatformName; request_id: string; place: string }): Promise<PostedCard> {
  const { tenant, platform, request_id, place } = card;
  // An upsert that changes nothing: it returns the row whoever wrote it.
  return cardOf(
    await database.ordinary((prisma) =>
      prisma.postedCard.upsert({
        where: { tenant_platform_request_id_place: { tenant, platform, request_id, place } },
        create: { tenant, id: randomUUID(), platform, request_id, place, state: 'posting' },
        update: { place },
      }),
    ),
  );
}

interface PostedCardRow {
  tenant: string;
  id: string;
  platform: string;
  request_id: string;
  place: string;
  state: string;
  ref: Prisma.JsonValue;
  shown_version: number;
}

/** The columns hold what this file wrote: a platform's name, one of the states (a CHECK guards it), and a JSON object or null. */
function cardOf(row: PostedCardRow): PostedCard {
  const { tenant, id, request_id, place, shown_version } = row;
  return {
    tenant,
    id,
    platform: row.platform as PlatformName,
    request_id,
    place,
    state: row.state as PostedCard['state'],
    ref: row.ref as JsonObject | null,
    shown_version,
  };
}
