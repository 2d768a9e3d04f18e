import { createHash, randomUUID } from 'node:crypto';
import type { JsonObject } from '@countersign/contracts';
import type { BatchStore, BatchTask, PlatformName } from '@countersign/core/ports';
import { leafMembers } from './commits.js';
import { type Database, Values } from './database.js';

/** A message lists at most so many; the next one gets another message. */
const MOST_LISTED = 50;
/** For so long after a message could not be posted there is none in its place, in seconds. */
const FAILED_SECONDS = 600;

interface BatchRow {
  tenant: string;
  id: string;
  platform: PlatformName;
  place: string;
  state: BatchTask['state'];
  ref: JsonObject | null;
  revision: string;
  tries: number;
  shown_digest: string | null;
  requests: string[] | null;
  unlisted: string[] | null;
}

/** Messages that list many requests, on PostgreSQL. What they list is decided one after the other for a place and what is alike. */
export function batchStore(database: Database): BatchStore {
  return {
    join: (wanted) => join(database, wanted),
    touch: async (tenant, platform, request_id) => {
      await database.run({
        name: 'touch-batches',
        text: `UPDATE batches SET revision = nextval('batches_revision_seq'), due_at = now(), tries = 0 WHERE tenant = $1 AND state IN ('posting', 'posted', 'closed')
          AND id IN (SELECT batch_id FROM batch_requests WHERE tenant = $1 AND platform = $2 AND request_id = $3)`,
        values: [tenant, platform, request_id],
      });
    },
    claim: async (platform, limit, leaseSeconds) => {
      const rows = await database.run<BatchRow>({
        name: 'claim-batches',
        text: `WITH due AS (SELECT tenant, id FROM batches WHERE platform = $1 AND state IN ('posting', 'posted', 'closed') AND shown_revision < revision
            AND due_at <= now() AND (leased_until IS NULL OR leased_until <= now()) ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
          UPDATE batches b SET leased_until = now() + make_interval(secs => $3), tries = b.tries + 1 FROM due WHERE b.tenant = due.tenant AND b.id = due.id
          RETURNING b.tenant, b.id, b.platform, b.place, CASE b.state WHEN 'closed' THEN 'posted' ELSE b.state END AS state, b.ref, b.revision, b.tries, b.shown_digest,
            ARRAY(SELECT r.request_id FROM batch_requests r WHERE r.tenant = b.tenant AND r.batch_id = b.id ORDER BY r.position) AS requests,
            ARRAY(SELECT r.request_id FROM batch_requests r WHERE r.tenant = b.tenant AND r.batch_id = b.id AND r.listed_at IS NULL) AS unlisted`,
        values: [platform, limit, leaseSeconds],
      });
      return rows.map((row) => ({ ...row, revision: Number(row.revision), requests: row.requests ?? [], unlisted: row.unlisted ?? [] }));
    },
    shown: async (batch, { ref, digest, closed, listed }, leaves = []) => {
      const values = new Values();
      const tenant = values.add(batch.tenant, 'text');
      const id = values.add(batch.id, 'text');
      const recorded = leafMembers(values, tenant, leaves, 'gate');
      const members = [
        `gate AS (UPDATE batches SET ref = ${values.add(JSON.stringify(ref), 'jsonb')}, shown_digest = ${values.add(digest, 'text')},
            shown_revision = greatest(shown_revision, ${values.add(batch.revision, 'bigint')}), state = ${values.add(closed ? 'closed' : 'posted', 'text')}, leased_until = NULL, tries = 0
          WHERE tenant = ${tenant} AND id = ${id} AND state IN ('posting', 'posted', 'closed') RETURNING id)`,
        `named AS (UPDATE batch_requests SET listed_at = clock_timestamp() FROM gate
          WHERE tenant = ${tenant} AND batch_id = ${id} AND listed_at IS NULL AND request_id = ANY (${values.add(listed, 'text[]')}))`,
        ...recorded.members,
      ];
      await database.run({ name: `batch-shown:${recorded.variant}`, text: `WITH ${members.join(',\n')} SELECT id FROM gate`, values: values.values });
    },
    retry: async ({ tenant, id }, delaySeconds) => {
      await database.run({
        name: 'retry-batch',
        text: 'UPDATE batches SET leased_until = NULL, due_at = now() + make_interval(secs => $3) WHERE tenant = $1 AND id = $2',
        values: [tenant, id, delaySeconds],
      });
    },
    ended: async ({ tenant, id, platform }, how) => {
      await database.run({
        name: 'batch-ended',
        text: `WITH gate AS (UPDATE batches SET state = $4, leased_until = NULL WHERE tenant = $1 AND id = $2 RETURNING id)
          INSERT INTO card_tasks (tenant, platform, request_id) SELECT r.tenant, $3, r.request_id FROM gate, batch_requests r
            JOIN action_requests a ON a.tenant = r.tenant AND a.id = r.request_id AND a.status = 'pending' WHERE r.tenant = $1 AND r.batch_id = gate.id
          ON CONFLICT (tenant, platform, request_id) DO UPDATE SET revision = excluded.revision, attempts = 0, due_at = now()`,
        values: [tenant, id, platform, how],
      });
    },
  };
}

type Wanted = Parameters<BatchStore['join']>[0];

function join(database: Database, wanted: Wanted): Promise<'listed' | 'lost' | null> {
  const { tenant, platform, place, request, at_least, window_seconds } = wanted;
  const { action, rules, requester_id } = request;
  const alike = createHash('sha256')
    .update(JSON.stringify([action, rules, requester_id]))
    .digest('hex');
  return database.transaction(async (client) => {
    const rows = async <Row extends object>(text: string, values: unknown[]): Promise<Row[]> => (await client.query<Row>(text, values)).rows;
    await rows('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`batch ${tenant} ${platform} ${place} ${alike}`]);
    const [listing] = await rows<{ state: string }>(
      `SELECT b.state FROM batch_requests r JOIN batches b ON b.tenant = r.tenant AND b.id = r.batch_id
       WHERE r.tenant = $1 AND r.platform = $2 AND r.request_id = $3 AND r.place = $4`,
      [tenant, platform, request.id, place],
    );
    if (listing !== undefined) return listing.state === 'failed' ? null : listing.state === 'lost' ? 'lost' : 'listed';
    const [failed] = await rows(
      `SELECT id FROM batches WHERE tenant = $1 AND platform = $2 AND place = $3 AND state = 'failed' AND created_at > now() - make_interval(secs => $4) LIMIT 1`,
      [tenant, platform, place, FAILED_SECONDS],
    );
    if (failed !== undefined) return null;
    const waiting = await rows<{ id: string; listed: boolean }>(
      `SELECT a.id, EXISTS (SELECT FROM batch_requests r WHERE r.tenant = a.tenant AND r.platform = $7 AND r.place = $8 AND r.request_id = a.id) AS listed
       FROM action_requests a WHERE a.tenant = $1 AND a.requester_id = $2 AND a.action = $3 AND a.status = 'pending'
         AND (a.document -> 'evaluation' -> 'rules')::jsonb = $4::jsonb
         AND a.created_at BETWEEN $5::timestamptz - make_interval(secs => $6) AND $5::timestamptz + make_interval(secs => $6)
       ORDER BY a.created_at, a.id`,
      [tenant, requester_id, action, JSON.stringify(rules), request.created_at, window_seconds, platform, place],
    );
    if (waiting.length < at_least) return null;
    const [open] = await rows<{ id: string; room: number }>(
      `SELECT b.id, $6 - (SELECT count(*) FROM batch_requests r WHERE r.tenant = b.tenant AND r.batch_id = b.id)::int AS room FROM batches b
       WHERE b.tenant = $1 AND b.platform = $2 AND b.place = $3 AND b.alike = $4 AND b.state IN ('posting', 'posted') AND b.first_at >= $5::timestamptz - make_interval(secs => $7)
       ORDER BY b.created_at DESC, b.id LIMIT 1`,
      [tenant, platform, place, alike, request.created_at, MOST_LISTED, window_seconds],
    );
    const fresh = waiting.filter(({ listed }) => !listed).map(({ id }) => id);
    const id = open !== undefined && open.room > 0 ? open.id : randomUUID();
    // The request itself is among them; it comes in whatever the room.
    const added = [request.id, ...fresh.filter((each) => each !== request.id)].slice(0, open !== undefined && id === open.id ? open.room : MOST_LISTED);
    if (id === open?.id)
      await rows(`UPDATE batches SET revision = nextval('batches_revision_seq'), due_at = now() WHERE tenant = $1 AND id = $2`, [tenant, id]);
    else
      await rows(
        `INSERT INTO batches (tenant, id, platform, place, alike, state, first_at)
         SELECT $1, $2, $3, $4, $5, 'posting', min(created_at) FROM action_requests WHERE tenant = $1 AND id = ANY ($6::text[])`,
        [tenant, id, platform, place, alike, added],
      );
    await rows(
      `INSERT INTO batch_requests (tenant, platform, place, request_id, batch_id)
       SELECT $1, $2, $3, a.id, $4 FROM action_requests a WHERE a.tenant = $1 AND a.id = ANY ($5::text[]) ORDER BY a.created_at, a.id ON CONFLICT DO NOTHING`,
      [tenant, platform, place, id, added],
    );
    return 'listed';
  });
}
