import type { ApiKeyRecord } from '@countersign/core/ports';
import type { Values } from './database.js';
import { instant, instantOrNull } from './rows.js';

export interface ApiKeyRow extends Omit<ApiKeyRecord, 'created_at' | 'expires_at' | 'revoked_at' | 'previous_until' | 'last_used_at'> {
  created_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
  previous_until: Date | null;
  last_used_at: Date | null;
}

/** Every column of a key `k`, and whether its owner is active in the directory now. */
export const API_KEY_COLUMNS = `k.tenant, k.id, k.name, k.owner, k.hash, k.prefix, k.rights, k.sealed_webhook_secret, k.created_at, k.expires_at, k.revoked_at, k.kind, k.binding,
  k.networks, k.previous_hash, k.sealed_previous_webhook_secret, k.previous_until, k.last_used_at, k.revoked_reason,
  EXISTS (SELECT FROM directory_people o WHERE o.tenant = k.tenant AND o.id = k.owner AND o.active) AS owner_active`;

export function apiKeyOf(row: ApiKeyRow): ApiKeyRecord {
  return {
    ...row,
    networks: row.networks ?? [],
    created_at: instant(row.created_at),
    expires_at: instantOrNull(row.expires_at),
    revoked_at: instantOrNull(row.revoked_at),
    previous_until: instantOrNull(row.previous_until),
    last_used_at: instantOrNull(row.last_used_at),
  };
}

/** A new key's row, as the beginning of a statement that a FROM may follow. */
export function apiKeyInsert(values: Values, key: ApiKeyRecord): string {
  return `INSERT INTO api_keys (tenant, id, name, owner, hash, prefix, rights, sealed_webhook_secret, created_at, expires_at, revoked_at, kind, binding, networks)
    SELECT ${[
      values.add(key.tenant, 'text'),
      values.add(key.id, 'text'),
      values.add(key.name, 'text'),
      values.add(key.owner, 'text'),
      values.add(Buffer.from(key.hash), 'bytea'),
      values.add(key.prefix, 'text'),
      values.add(JSON.stringify(key.rights), 'json'),
      values.add(Buffer.from(key.sealed_webhook_secret), 'bytea'),
      values.add(key.created_at, 'timestamptz'),
      values.add(key.expires_at, 'timestamptz'),
      values.add(key.revoked_at, 'timestamptz'),
      values.add(key.kind ?? 'secret', 'text'),
      values.add(key.binding == null ? null : JSON.stringify(key.binding), 'json'),
      values.add(key.networks ?? [], 'text[]'),
    ].join(', ')}`;
}
