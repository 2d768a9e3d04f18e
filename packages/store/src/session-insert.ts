import type { SessionRecord } from '@countersign/core/ports';

const COLUMNS = [
  ...(['hash', 'id', 'tenant', 'person_id', 'issuer', 'method', 'subject', 'provider_sid'] as const),
  ...(['auth_time', 'acr', 'amr', 'user_agent', 'created_at', 'last_used_at', 'expires_at', 'sealed_hint'] as const),
] satisfies readonly (keyof SessionRecord)[];

/** Inserts a session, unless its hash is there already. @param first the number of its first parameter in the statement */
export function sessionInsert(session: SessionRecord, first: number): { text: string; values: unknown[] } {
  return {
    text: `INSERT INTO sessions (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map((_name, index) => `$${first + index}`).join(', ')}) ON CONFLICT DO NOTHING`,
    values: COLUMNS.map((name) => session[name]),
  };
}
