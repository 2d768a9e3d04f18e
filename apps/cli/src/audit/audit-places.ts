import { CoreError } from '@countersign/core/errors';
import { leafHash, type Leaf, openLeaf, parseCheckpoint, parseSignedNote, parseTree, rootOf, sameBytes } from '@countersign/core/ledger';
import type { AuditedCheckpoint, AuditedLeaf, AuditSnapshot } from '@countersign/store';
import type { Finding } from './finding.js';

export interface PlacesAudit {
  findings: Finding[];
  entries: number;
  /** Leaves that the sequencer has not placed yet: committed with their facts, vouched for by no checkpoint. */
  waiting: number;
}

/**
 * The ledger's own rows, one by one: every position once, every leaf where its entry says, its bytes hashing to what was placed, its columns
 * saying what its bytes say; every checkpoint's columns saying what its note says. Names every row that is wrong, where the check of
 * the log as a whole ends at the first.
 */
export async function auditPlaces(snapshot: AuditSnapshot, tenant: string): Promise<PlacesAudit> {
  const findings: Finding[] = [];
  let next = 0;
  for await (const { position, leaf_id, hash, leaf } of snapshot.entries(tenant)) {
    if (position !== next)
      findings.push({
        table: 'ledger_entries',
        row: String(next),
        column: null,
        problem: `${position - next === 1 ? 'is' : `and ${position - next - 1} after it are`} missing: positions have no gaps`,
      });
    next = position + 1;
    if (leaf === null) {
      findings.push({ table: 'ledger_leaves', row: leaf_id, column: null, problem: `is missing; it was logged as entry ${position}` });
      continue;
    }
    if (!sameBytes(leafHash(leaf.bytes), hash)) {
      findings.push({
        table: 'ledger_leaves',
        row: leaf_id,
        column: 'bytes',
        problem: `entry ${position} (${leaf.event} of ${leaf.subject}) does not hash to what ledger_entries has for it`,
      });
    }
    findings.push(...leafFaults(leaf, tenant));
  }
  const { waiting, forgotten, misplaced } = await snapshot.unplaced(tenant);
  for (const id of forgotten)
    findings.push({
      table: 'ledger_leaves',
      row: id,
      column: null,
      problem: 'has no entry and does not wait for one: it was taken out of the log, or out of the queue to it',
    });
  for (const id of misplaced)
    findings.push({ table: 'ledger_unplaced', row: id, column: null, problem: 'waits for a place that it has already, or is of no leaf' });
  for await (const checkpoint of snapshot.checkpoints(tenant)) findings.push(...checkpointFaults(checkpoint));
  return { findings, entries: next, waiting };
}

/** Where a leaf's columns and its bytes disagree. */
export function leafFaults(row: AuditedLeaf, tenant: string): Finding[] {
  const leaf = parsedLeaf(row);
  const place = { table: 'ledger_leaves', row: row.id };
  if (leaf === null) return [{ ...place, column: 'bytes', problem: `${row.position === null ? 'a waiting leaf' : `entry ${row.position}`} is not a leaf` }];
  const columns: [string, string, string][] = [
    ['id', row.id, leaf.id],
    ['event', row.event, leaf.event],
    ['at', row.at, leaf.at],
    ['subject', row.subject, leaf.subject],
    ['tenant', tenant, leaf.tenant],
  ];
  return columns
    .filter(([, has, says]) => has !== says)
    .map(([column, has, says]) => ({ ...place, column, problem: `the row says ${JSON.stringify(has)}, the leaf's bytes ${JSON.stringify(says)}` }));
}

/** The leaf of a row; null where its bytes are none. */
export function parsedLeaf(row: AuditedLeaf): Leaf | null {
  try {
    return openLeaf(row.bytes);
  } catch (error) {
    if (error instanceof CoreError) return null;
    throw error;
  }
}

/** The sequencer goes on from `frontier`, so a wrong one would make a wrong log of what comes next. */
function checkpointFaults({ size, root, frontier, note }: AuditedCheckpoint): Finding[] {
  const wrong = (column: string, problem: string): Finding => ({ table: 'ledger_checkpoints', row: String(size), column, problem });
  try {
    const stated = parseCheckpoint(parseSignedNote(note).text);
    if (stated.size !== size) return [wrong('size', `its note is of ${stated.size} entries`)];
    if (!sameBytes(stated.root, root)) return [wrong('root', 'its note states another root')];
    return sameBytes(rootOf(parseTree(size, frontier)), root) ? [] : [wrong('frontier', 'leads to another root')];
  } catch (error) {
    if (!(error instanceof CoreError)) throw error;
    return [wrong('note', `cannot be read: ${error.message}`)];
  }
}
