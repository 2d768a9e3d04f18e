import { readLog } from '../support/ledger-check.js';
import { verifiedByPublishedKey } from '../support/callback-receiver.js';
import { verifyLog } from '@countersign/core/ledger';
import { tilePath } from '@countersign/core/ledger';
import { compactVerify, createLocalJWKSet } from 'jose';
import { createPublicKey, verify } from 'node:crypto';
import type { HostileReceiver } from './hostile-receiver.js';
import type { Story } from './lab-clients.js';
import type { LabWorld } from './lab-world.js';

export interface LabEvidence {
  world: LabWorld;
  receivers: readonly HostileReceiver[];
  stories: readonly Story[];
}

/**
 * Rows that must not be there, by the invariant that they break. PostgreSQL is asked as the superuser, in SQL that knows the tables
 * alone; `what` says what is wrong with `id`.
 */
const FORBIDDEN: readonly [string, string][] = [
  [
    'I1',
    `SELECT id, 'has other than one idempotency key' AS what FROM action_requests r WHERE (SELECT count(*) FROM idempotency_keys k WHERE k.request_id = r.id) <> 1`,
  ],
  [
    'I1',
    `SELECT request_id AS id, 'has a key and no request' AS what FROM idempotency_keys k WHERE NOT EXISTS (SELECT FROM action_requests r WHERE r.id = k.request_id)`,
  ],
  [
    'I2',
    `SELECT r.id, format('is %s with the outcomes %s', r.status, o.all) AS what FROM action_requests r
       CROSS JOIN LATERAL (SELECT coalesce(string_agg(o.sequence || ' ' || o.status, ', ' ORDER BY o.sequence), 'none') AS all FROM outcomes o WHERE o.request_id = r.id) o
     WHERE o.all <> CASE r.status WHEN 'pending' THEN 'none' WHEN 'revoked' THEN '1 approved, 2 revoked' ELSE '1 ' || r.status END`,
  ],
  [
    'I2',
    `SELECT id, 'is pending though its time is over' AS what FROM action_requests WHERE status = 'pending' AND expires_at < now() - interval '10 seconds'`,
  ],
  ['I2', `SELECT r.id, 'expired before its time' AS what FROM action_requests r WHERE status = 'expired' AND settled_at < expires_at - interval '1 second'`],
  [
    'I3',
    `SELECT d.id, 'was made by ' || d.person_id || ', who is behind the request' AS what FROM decisions d JOIN action_requests r ON r.id = d.request_id WHERE d.person_id = ANY (r.chain_people)`,
  ],
  ['I3', `SELECT request_id AS id, person_id || ' decided it more than once' AS what FROM decisions GROUP BY request_id, person_id HAVING count(*) > 1`],
  [
    'I3, I17',
    `SELECT r.id, 'was approved without its people' AS what FROM action_requests r WHERE EXISTS (SELECT FROM outcomes o WHERE o.request_id = r.id AND o.status = 'approved') AND (
       r.action = 'backup.delete' OR r.action = 'data.export' AND NOT EXISTS (SELECT FROM decisions d WHERE d.request_id = r.id AND d.verdict = 'approve' AND 'data-owners' = ANY (d.groups))
       OR r.action LIKE 'iam.%' AND NOT EXISTS (SELECT FROM decisions d JOIN decisions e ON e.request_id = d.request_id AND e.person_id <> d.person_id WHERE d.request_id = r.id
         AND d.verdict = 'approve' AND e.verdict = 'approve' AND 'data-owners' = ANY (d.groups) AND 'security' = ANY (e.groups)))`,
  ],
  [
    'I3',
    `SELECT d.id, 'was made after the end' AS what FROM decisions d JOIN outcomes o ON o.request_id = d.request_id AND o.sequence = 1 WHERE d.decided_at > o.settled_at + interval '1 second'`,
  ],
  [
    'I4',
    `SELECT o.id, 'has other than one leaf' AS what FROM outcomes o WHERE (SELECT count(*) FROM ledger_leaves l WHERE l.subject = o.request_id
       AND l.event = CASE o.status WHEN 'revoked' THEN 'outcome.revoked' ELSE 'outcome.settled' END AND position(convert_to(o.id, 'UTF8') IN l.bytes) > 0) <> 1`,
  ],
  [
    'I4',
    `SELECT r.id, 'has other than one leaf of its opening' AS what FROM action_requests r WHERE (SELECT count(*) FROM ledger_leaves l WHERE l.subject = r.id AND l.event = 'action_request.opened') <> 1`,
  ],
  [
    'I4',
    `SELECT d.id, 'has other than one leaf' AS what FROM decisions d WHERE (SELECT count(*) FROM ledger_leaves l WHERE l.subject = d.request_id AND l.event = 'decision.recorded' AND position(convert_to(d.id, 'UTF8') IN l.bytes) > 0) <> 1`,
  ],
  [
    'I4',
    `SELECT subject AS id, event || ' is in the ledger of no outcome' AS what FROM ledger_leaves l WHERE event IN ('outcome.settled', 'outcome.revoked') AND NOT EXISTS (SELECT FROM outcomes o WHERE o.request_id = l.subject)`,
  ],
  [
    'I4',
    `SELECT r.id, 'has outcomes and deliveries that differ' AS what FROM action_requests r WHERE json_typeof(r.document->'callback') = 'object'
       AND ARRAY(SELECT sequence FROM outcomes WHERE request_id = r.id ORDER BY 1) <> ARRAY(SELECT sequence FROM deliveries WHERE request_id = r.id ORDER BY 1)`,
  ],
  [
    'I4, I6',
    `SELECT d.id, 'tells of no outcome' AS what FROM deliveries d WHERE NOT EXISTS (SELECT FROM outcomes o WHERE o.request_id = d.request_id AND o.sequence = d.sequence)`,
  ],
  [
    'I4',
    `SELECT r.id, 'is approved without a grant' AS what FROM action_requests r WHERE status = 'approved' AND NOT EXISTS (SELECT FROM grants g WHERE g.request_id = r.id)`,
  ],
  [
    'I5',
    `SELECT id, 'is still ' || state || ' after ' || attempts || ' attempts, due at ' || next_attempt_at AS what FROM deliveries WHERE state NOT IN ('delivered', 'superseded', 'dead', 'aborted')`,
  ],
  [
    'I5',
    `SELECT d.id, 'was superseded by no revocation' AS what FROM deliveries d JOIN action_requests r ON r.id = d.request_id WHERE d.state = 'superseded' AND r.status <> 'revoked'`,
  ],
  [
    'I7',
    `SELECT d.id, format('counts %s attempts and has %s', d.attempts, a.numbers) AS what FROM deliveries d CROSS JOIN LATERAL
       (SELECT ARRAY(SELECT number FROM delivery_attempts a WHERE a.delivery_id = d.id ORDER BY 1) AS numbers) a WHERE a.numbers <> ARRAY(SELECT generate_series(1, d.attempts))`,
  ],
  [
    'I7',
    `SELECT a.delivery_id AS id, format('attempt %s %s leaves', a.number, count(l.id)) AS what FROM (SELECT delivery_id, request_id, count(*) FILTER (WHERE a.finished_at IS NOT NULL) AS number
       FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery_id GROUP BY 1, 2) a LEFT JOIN ledger_leaves l ON l.subject = a.request_id AND l.event = 'delivery.attempted'
       AND position(convert_to(a.delivery_id, 'UTF8') IN l.bytes) > 0 GROUP BY 1, a.number HAVING count(l.id) <> a.number`,
  ],
  [
    'I9',
    `SELECT r.id, 'has leaves of redemption that differ from its state' AS what FROM action_requests r WHERE (SELECT count(*) FROM ledger_leaves l WHERE l.subject = r.id AND l.event = 'grant.redeemed') <> (r.redeemed_at IS NOT NULL)::int`,
  ],
  ['I9', `SELECT id, 'was redeemed and is ' || status AS what FROM action_requests WHERE redeemed_at IS NOT NULL AND status <> 'approved'`],
  [
    'I9',
    `SELECT r.id, 'was redeemed outside of the life of its grants' AS what FROM action_requests r WHERE redeemed_at IS NOT NULL AND NOT EXISTS (SELECT FROM grants g WHERE g.request_id = r.id AND g.expires_at > r.redeemed_at - interval '1 second')`,
  ],
  [
    'I10',
    `SELECT 'ledger' AS id, format('%s entries up to position %s', count(*), max(position)) AS what FROM ledger_entries HAVING count(*) <> coalesce(max(position) + 1, 0)`,
  ],
  [
    'I10',
    `SELECT l.id::text AS id, 'is a leaf without a place' AS what FROM ledger_leaves l WHERE NOT EXISTS (SELECT FROM ledger_entries e WHERE e.leaf_id = l.id)`,
  ],
  ['I10', `SELECT leaf_id::text AS id, 'has several places' AS what FROM ledger_entries GROUP BY leaf_id HAVING count(*) > 1`],
];

/** Holds every invariant against what the database, the receivers, the clients and the ledger say. */
export async function checkLab(evidence: LabEvidence): Promise<{ violations: string[]; counts: Record<string, number> }> {
  const { world } = evidence;
  const violations: string[] = [];
  for (const [rule, text] of FORBIDDEN) {
    for (const { id, what } of await world.sql<{ id: string; what: string }>(text)) violations.push(`${rule}: ${id} ${what}`);
  }
  violations.push(...(await checkClients(evidence)), ...(await checkReceived(evidence)), ...(await checkLedger(world)));
  return { violations, counts: await countsOf(evidence) };
}

/** I1, I2, I9: what clients were told holds. */
async function checkClients({ world, stories }: LabEvidence): Promise<string[]> {
  const violations: string[] = [];
  const requests = new Map(
    (await world.sql<{ id: string; status: string; redeemed_at: Date | null }>('SELECT id, status, redeemed_at FROM action_requests')).map((row) => [
      row.id,
      row,
    ]),
  );
  const decisions = new Map((await world.sql<{ id: string; verdict: string }>('SELECT id, verdict FROM decisions')).map((row) => [row.id, row.verdict]));
  const posted = await world.sql<{ key: string; request_id: string }>('SELECT key, request_id FROM idempotency_keys');
  const byKey = new Map(posted.map(({ key, request_id }) => [key, request_id]));
  for (const story of stories) {
    const [id] = story.ids;
    const say = (rule: string, what: string): void => void violations.push(`${rule}: ${id ?? story.key} (${story.fate}) ${what}`);
    if (story.ids.size > 1) say('I1', `was answered with the ids ${[...story.ids].join(', ')}`);
    for (const what of story.wrong) say('I3, I9, I17', what);
    if (id === undefined) continue;
    const request = requests.get(id);
    if (request === undefined || byKey.get(story.key) !== id) say('I1', 'was acknowledged and is not there');
    for (const decision of story.decided)
      if (decisions.get(decision.id) !== decision.verdict) say('I1', `its decision ${decision.id} was acknowledged and is not there`);
    for (const status of story.withdrawn) if (request?.status !== status) say('I2', `was acknowledged as ${status} and is ${request?.status}`);
    if (story.redeemed > 1) say('I9', `was redeemed ${story.redeemed} times`);
    if (story.redeemed > 0 && request?.redeemed_at == null) say('I9', 'its redemption was acknowledged and is not there');
  }
  for (const story of stories.filter(({ ids }) => ids.size === 1).slice(0, 40)) {
    const again = await world.api.submit(world.held.apiKey, story.body, { key: story.key });
    if (again.status !== 201 || !story.ids.has(again.json.id) || again.headers['idempotent-replayed'] !== 'true')
      violations.push(`I1: ${story.key} is answered with ${again.status} ${again.text}`);
  }
  return violations;
}

/** I5–I8: what arrived was committed, was written down before, was counted, and is signed. */
async function checkReceived({ world, receivers }: LabEvidence): Promise<string[]> {
  const violations: string[] = [];
  const rows = await world.sql<{ id: string; state: string; attempts: number; outcome: string; status: string; sequence: number; request_id: string }>(
    `SELECT d.id, d.state, d.attempts, o.id AS outcome, o.status, o.sequence, d.request_id FROM deliveries d JOIN outcomes o ON o.request_id = d.request_id AND o.sequence = d.sequence`,
  );
  const deliveries = new Map(rows.map((row) => [row.id, row]));
  const jwks = (await world.api.call('GET', '/.well-known/jwks.json')).json;
  const keys = createLocalJWKSet(jwks);
  const seen = new Map<string, { count: number; taken: boolean; body: string }>();
  for (const attempt of receivers.flatMap(({ received }) => received)) {
    const id = String(attempt.headers['webhook-id']);
    const say = (rule: string, what: string): void => void violations.push(`${rule}: ${id} ${what}`);
    const row = deliveries.get(id);
    const { data } = attempt.json;
    if (row === undefined) say('I6', 'arrived and was never committed');
    else if (data.id !== row.outcome || data.status !== row.status || data.sequence !== row.sequence || data.action_request !== row.request_id)
      say('I6', 'tells of another outcome than was committed');
    if (attempt.problem !== null) say('I8', `does not verify: ${attempt.problem}`);
    if (!verifiedByPublishedKey(attempt, jwks.keys)) say('I8', 'has no signature by a published key');
    const before = seen.get(id);
    if (before !== undefined && before.body !== attempt.body) say('I6', 'came with different bodies');
    if (before === undefined && typeof data.grant === 'string')
      await compactVerify(data.grant, keys).catch((error: unknown) => say('I8', `its grant does not verify: ${String(error)}`));
    seen.set(id, { count: (before?.count ?? 0) + 1, taken: (before?.taken ?? false) || attempt.mood === 'takes', body: attempt.body });
  }
  for (const [id, { state, attempts }] of deliveries) {
    const arrived = seen.get(id);
    if ((arrived?.count ?? 0) > attempts) violations.push(`I7: ${id} arrived ${arrived?.count} times, of ${attempts} attempts`);
    if (state === 'delivered' && arrived?.taken !== true) violations.push(`I5: ${id} is delivered and was never taken`);
  }
  return violations;
}

/** I10–I12: the whole log over HTTP, against every checkpoint that was ever signed; and one bit of it flipped. */
async function checkLedger(world: LabWorld): Promise<string[]> {
  const { api, held } = world;
  const log = await readLog(api, held.tokens.olivia);
  const violations = log.verified ? [] : ['I12: the log does not hash to its signed root'];
  const vkeys = (await api.call('GET', '/ledger/default/vkey')).text.trim().split('\n');
  const notes = (await world.sql<{ note: string }>('SELECT note FROM ledger_checkpoints ORDER BY size')).map(({ note }) => note);
  const verifyWhole = (entries: readonly Uint8Array[]) =>
    verifyLog({
      origin: log.origin,
      vkeys,
      verify: (key, message, signature) =>
        verify(null, message, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key).toString('base64url') }, format: 'jwk' }), signature),
      entries,
      checkpoints: notes,
      async tiles(tile) {
        const reply = await api.call('GET', `/ledger/default/${tilePath(tile)}`);
        return reply.status === 200 ? reply.bytes : null;
      },
    });
  const verdict = await verifyWhole(log.entries);
  if (!verdict.ok) violations.push(`I10, I11: ${JSON.stringify(verdict.fault)}`);
  const middle = Math.floor(log.entries.length / 2);
  const flipped = await verifyWhole(
    log.entries.map((entry, index) => (index === middle ? Buffer.from(entry.map((byte, at) => (at === 9 ? byte ^ 1 : byte))) : entry)),
  );
  if (flipped.ok) violations.push(`I12: a flipped bit in entry ${middle} is not found`);
  return violations;
}

async function countsOf({ world, receivers, stories }: LabEvidence): Promise<Record<string, number>> {
  const rows = await world.sql<{ name: string; count: number }>(`
    SELECT 'requests ' || status AS name, count(*)::int FROM action_requests GROUP BY 1 UNION ALL SELECT 'decisions', count(*)::int FROM decisions
    UNION ALL SELECT 'deliveries ' || state, count(*)::int FROM deliveries GROUP BY 1 UNION ALL SELECT 'attempts', count(*)::int FROM delivery_attempts
    UNION ALL SELECT 'attempts without an end', count(*)::int FROM delivery_attempts WHERE finished_at IS NULL
    UNION ALL SELECT 'redeemed', count(redeemed_at)::int FROM action_requests UNION ALL SELECT 'ledger entries', count(*)::int FROM ledger_entries
    UNION ALL SELECT 'checkpoints', count(*)::int FROM ledger_checkpoints ORDER BY 1`);
  const received = receivers.reduce((sum, receiver) => sum + receiver.received.length, 0);
  const acknowledged = stories.filter(({ ids }) => ids.size > 0).length;
  return { acknowledged, ...Object.fromEntries(rows.map(({ name, count }) => [name, count])), 'callbacks received': received };
}
