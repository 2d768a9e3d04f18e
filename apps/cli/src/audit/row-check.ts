import type { JsonValue } from '@countersign/contracts';
import { canonicalJson } from '@countersign/core/request';
import type { Finding } from './finding.js';
import type { OpenedLeaf } from './request-leaves.js';

/** Compares a row's columns with what a leaf says. */
export class RowCheck {
  constructor(
    private readonly place: Pick<Finding, 'table' | 'row'>,
    private readonly leaf: OpenedLeaf,
    private readonly findings: Finding[],
  ) {}

  /** `part` names a member within the column. Short plain values are shown; what may be private is not. */
  same(column: string, has: unknown, says: unknown, part?: string): void {
    if (equal(has, says)) return;
    const shown = SHOWN.has(column) ? `the row says ${JSON.stringify(has)}, the ledger ${JSON.stringify(says)}` : 'is not what the ledger says';
    this.findings.push({
      ...this.place,
      column: part === undefined ? column : `${column} (${part})`,
      problem: `${shown} (${this.leaf.place}, ${this.leaf.event})`,
    });
  }
}

/** Columns whose values are no secret: states, times and ids. */
const SHOWN = new Set([
  'status',
  'verdict',
  'via',
  'sequence',
  'created_at',
  'settled_at',
  'decided_at',
  'redeemed_at',
  'issued_at',
  'expires_at',
  'reported_at',
  'use_until',
  'policy_digest',
  'person_id',
  'result',
  'finding',
  'opened_at',
  'due_at',
  'asked_at',
  'proposed_at',
  'accepted_as',
]);

export function leafless(table: string, row: string, event: string): Finding {
  return { table, row, column: null, problem: `has no leaf: the ledger has no ${event} of it` };
}

export function rowless(table: string, row: string, leaf: OpenedLeaf | undefined): Finding {
  return {
    table,
    row,
    column: null,
    problem: leaf === undefined ? 'is missing; other rows speak of it' : `is missing; ${leaf.place} (${leaf.event}) speaks of it`,
  };
}

export function equal(one: unknown, other: unknown): boolean {
  return canonicalJson(plain(one)) === canonicalJson(plain(other));
}

/** As JSON says it: absent members are absent, nothing at all is null. */
function plain(value: unknown): JsonValue {
  // What JSON.parse returns is JSON.
  return value === undefined ? null : (JSON.parse(JSON.stringify(value)) as JsonValue);
}
