import type { LedgerStep, LedgerStore, LedgerTail } from '@countersign/core/ports';
import type { Database } from './database.js';
import { StoreError } from './errors.js';

/** The ledger's tables: rows are added and never changed; the database itself refuses anything else. */
export function ledgerStore(database: Database): LedgerStore {
  return {
    sequence: (tenant, limit, integrate) => sequence(database, tenant, limit, integrate),
    tenantsWithUnplacedLeaves: async () => {
      const rows = await database.run<{ tenant: string }>({
        name: 'unplaced-tenants',
        text: 'SELECT t.id AS tenant FROM tenants t WHERE EXISTS (SELECT FROM ledger_unplaced u WHERE u.tenant = t.id)',
        values: [],
      });
      return rows.map((row) => row.tenant);
    },
    checkpoint: async (tenant) => {
      const [row] = await database.run<CheckpointRow>({
        name: 'checkpoint',
        text: 'SELECT size, note FROM ledger_checkpoints WHERE tenant = $1 ORDER BY size DESC LIMIT 1',
        values: [tenant],
      });
      return row === undefined ? null : checkpointOf(row);
    },
    checkpoints: (tenant) => checkpoints(database, tenant),
    leafHashes: (tenant, from, to) =>
      hashes(database, 'leaf-hashes', 'SELECT hash AS bytes FROM ledger_entries WHERE tenant = $1 AND position >= $2 AND position < $3 ORDER BY position', [
        tenant,
        from,
        to,
      ]),
    nodeHashes: (tenant, level, from, to) =>
      hashes(database, 'node-hashes', 'SELECT hash AS bytes FROM ledger_nodes WHERE tenant = $1 AND level = $4 AND index >= $2 AND index < $3 ORDER BY index', [
        tenant,
        from,
        to,
        level,
      ]),
    entries: (tenant, from, to) =>
      hashes(
        database,
        'entries',
        `SELECT l.bytes FROM ledger_entries e JOIN ledger_leaves l ON l.tenant = e.tenant AND l.id = e.leaf_id
         WHERE e.tenant = $1 AND e.position >= $2 AND e.position < $3 ORDER BY e.position`,
        [tenant, from, to],
      ),
  };
}

/** Key of the advisory locks under which ledgers are sequenced, one per tenant ("CsSq"). */
const SEQUENCE_LOCK = 0x43735371;

/**
 * One sequencer per tenant at a time; should the lock ever fail, the primary keys of position and size let one of two win.
 * The unplaced are claimed by their row, so a leaf that commits late is placed late and never lost.
 */
async function sequence(database: Database, tenant: string, limit: number, integrate: (tail: LedgerTail) => Promise<LedgerStep>): Promise<number> {
  let step: LedgerStep | null = null;
  try {
    return await database.transaction(async (client) => {
      const { rows: locks } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_xact_lock($1, hashtext($2)) AS locked', [SEQUENCE_LOCK, tenant]);
      if (locks[0]?.locked !== true) return 0;
      const { rows: leaves } = await client.query<{ id: string; bytes: Buffer }>(
        `SELECT l.id, l.bytes FROM (SELECT tenant, leaf_id FROM ledger_unplaced WHERE tenant = $1 ORDER BY leaf_id LIMIT $2) u
         JOIN ledger_leaves l ON l.tenant = u.tenant AND l.id = u.leaf_id ORDER BY l.id`,
        [tenant, limit],
      );
      if (leaves.length === 0) return 0;
      const { rows: last } = await client.query<{ size: string; frontier: Buffer }>(
        'SELECT size, frontier FROM ledger_checkpoints WHERE tenant = $1 ORDER BY size DESC LIMIT 1',
        [tenant],
      );
      const size = Number(last[0]?.size ?? 0);
      step = await integrate({ size, frontier: last[0]?.frontier ?? new Uint8Array(0), leaves });
      const { placed, nodes } = step;
      // A gap could never be closed again, so it is looked for before it is written (I10).
      if (placed.length === 0 || step.size !== size + placed.length || placed.some((leaf, index) => leaf.position !== size + index)) {
        throw new StoreError('refused', 'The sequencer left a gap, or placed nothing.');
      }
      const { rowCount } = await client.query('DELETE FROM ledger_unplaced WHERE tenant = $1 AND leaf_id = ANY ($2::uuid[])', [
        tenant,
        placed.map((leaf) => leaf.leaf_id),
      ]);
      if (rowCount !== placed.length) throw new StoreError('refused', 'The sequencer placed leaves that were not waiting.');
      await client.query('INSERT INTO ledger_entries (tenant, position, leaf_id, hash) SELECT $1, * FROM unnest($2::bigint[], $3::uuid[], $4::bytea[])', [
        tenant,
        placed.map((leaf) => leaf.position),
        placed.map((leaf) => leaf.leaf_id),
        placed.map((leaf) => Buffer.from(leaf.hash)),
      ]);
      if (nodes.length > 0) {
        await client.query('INSERT INTO ledger_nodes (tenant, level, index, hash) SELECT $1, * FROM unnest($2::int[], $3::bigint[], $4::bytea[])', [
          tenant,
          nodes.map((node) => node.level),
          nodes.map((node) => node.index),
          nodes.map((node) => Buffer.from(node.hash)),
        ]);
      }
      await client.query('INSERT INTO ledger_checkpoints (tenant, size, root, frontier, note) VALUES ($1, $2, $3, $4, $5)', [
        tenant,
        step.size,
        step.root,
        step.frontier,
        step.note,
      ]);
      return placed.length;
    });
  } catch (error) {
    // Assigned inside the callback, which the type checker does not follow.
    const made = step as LedgerStep | null;
    if (!(error instanceof StoreError && error.code === 'commit_unknown') || made === null) throw error;
    const [stored] = await database.run<{ note: string }>({
      name: 'checkpoint-at',
      text: 'SELECT note FROM ledger_checkpoints WHERE tenant = $1 AND size = $2',
      values: [tenant, made.size],
    });
    if (stored?.note === made.note) return made.placed.length;
    throw error;
  }
}

interface CheckpointRow {
  size: string;
  note: string;
}

function checkpointOf(row: CheckpointRow): { size: number; note: string } {
  return { size: Number(row.size), note: row.note };
}

async function* checkpoints(database: Database, tenant: string): AsyncIterable<{ size: number; note: string }> {
  const page = 1_000;
  for (let after = -1; ;) {
    const rows = await database.run<CheckpointRow>({
      name: 'checkpoints',
      text: 'SELECT size, note FROM ledger_checkpoints WHERE tenant = $1 AND size > $2 ORDER BY size LIMIT $3',
      values: [tenant, after, page],
    });
    for (const row of rows) {
      const found = checkpointOf(row);
      after = found.size;
      yield found;
    }
    if (rows.length < page) return;
  }
}

async function hashes(database: Database, name: string, text: string, values: unknown[]): Promise<Uint8Array[]> {
  const rows = await database.run<{ bytes: Buffer }>({ name, text, values });
  return rows.map((row) => row.bytes);
}
