import type pg from 'pg';
import { instant, instantOrNull } from './rows.js';

/** The rows of freezes, patterns, changes of the configuration and activations, as far as the ledger speaks of them. */
export interface AuditedControl {
  freezes: {
    id: string;
    scope: { actor?: string; caller?: string; action?: string };
    /** Whether the columns that are compared say what the scope says. */
    compared_alike: boolean;
    actor_people: string[];
    reason: string;
    placed_by: object;
    placed_at: string;
    expires_at: string | null;
    lifted_at: string | null;
    lifted_by: object | null;
    lift_reason: string | null;
  }[];
  patterns: { id: string; request_id: string; expires_at: string; uses: number; used: number; revoked_at: string | null; revoked_by: object | null }[];
  changes: { id: string; kind: string; request_id: string; state: string; payload_digest: string; summary: object }[];
  activations: { id: string; digest: string; by: string }[];
}

type Rows = <Row extends pg.QueryResultRow>(text: string, values: unknown[]) => Promise<Row[]>;

export async function readControl(rows: Rows, tenant: string): Promise<AuditedControl> {
  const [freezes, patterns, changes, activations] = await Promise.all([
    rows<AuditedControl['freezes'][number] & { placed_at: Date; expires_at: Date | null; lifted_at: Date | null }>(
      `SELECT id, scope, actor_people, reason, placed_by, placed_at, expires_at, lifted_at, lifted_by, lift_reason,
         actor_fold IS NOT DISTINCT FROM countersign_fold(scope->>'actor') AND caller IS NOT DISTINCT FROM scope->>'caller' AND action_like IS NOT DISTINCT FROM
           replace(regexp_replace(lower(scope->>'action'), '([\\\\%_])', '\\\\\\1', 'g'), '*', '%') AS compared_alike
       FROM freezes WHERE tenant = $1 ORDER BY id`,
      [tenant],
    ),
    rows<AuditedControl['patterns'][number] & { expires_at: Date; revoked_at: Date | null }>(
      'SELECT id, request_id, expires_at, uses, used, revoked_at, revoked_by FROM patterns WHERE tenant = $1 ORDER BY id',
      [tenant],
    ),
    rows<AuditedControl['changes'][number]>('SELECT id, kind, request_id, state, payload_digest, summary FROM config_changes WHERE tenant = $1 ORDER BY id', [
      tenant,
    ]),
    rows<AuditedControl['activations'][number]>('SELECT id, digest, activated_by AS by FROM policy_activations WHERE tenant = $1 ORDER BY id', [tenant]),
  ]);
  return {
    freezes: freezes.map((row) => ({
      ...row,
      placed_at: instant(row.placed_at),
      expires_at: instantOrNull(row.expires_at),
      lifted_at: instantOrNull(row.lifted_at),
    })),
    patterns: patterns.map((row) => ({ ...row, expires_at: instant(row.expires_at), revoked_at: instantOrNull(row.revoked_at) })),
    changes,
    activations,
  };
}
