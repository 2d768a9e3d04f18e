import type { Clock, Entropy, PersonalTokenRecord } from '@countersign/core/ports';
import { addSeconds, newId } from '@countersign/core/request';
import type { Instant } from '@countersign/core/request';
import { makeToken, parseToken, type SecretToken } from './secret-token.js';

/** What a personal token may be used for; a token without `decide` never decides, whoever holds it. */
export type TokenScope = PersonalTokenRecord['scopes'][number];

/** The longest life of a personal token: 90 days, in seconds. */
export const MAX_TOKEN_LIFE_SECONDS = 90 * 24 * 3600;

export interface NewPersonalToken {
  tenant: string;
  person_id: string;
  name: string;
  scopes: TokenScope[];
  /** In seconds, at most MAX_TOKEN_LIFE_SECONDS, which is also the default; null: it does not expire (a quickstart's). */
  life_seconds?: number | null;
  /** When the person proved who they are for it; absent: it is made at the installation's own terminal, and decides nothing. */
  stepped_up_at?: string;
}

/** Makes a personal token `cs_pat_…`; `token` is shown once, the record keeps its hash. */
export function makePersonalToken(world: { clock: Clock; entropy: Entropy }, wanted: NewPersonalToken): { token: string; record: PersonalTokenRecord } {
  const now = world.clock.now();
  const token = makeToken('pat', world.entropy);
  const life = wanted.life_seconds === null ? null : Math.min(wanted.life_seconds ?? MAX_TOKEN_LIFE_SECONDS, MAX_TOKEN_LIFE_SECONDS);
  const record: PersonalTokenRecord = {
    id: newId('pat', now, world.entropy.bytes(10)),
    tenant: wanted.tenant,
    person_id: wanted.person_id,
    hash: token.hash,
    name: wanted.name,
    scopes: wanted.scopes,
    created_at: now,
    expires_at: life === null ? null : addSeconds(now, life),
    revoked_at: null,
    last_used_at: null,
    stepped_up_at: wanted.stepped_up_at ?? null,
  };
  return { token: token.text, record };
}

/** Reads a personal token; null where it is none, its checksum included. */
export function parsePersonalToken(text: string): SecretToken | null {
  return parseToken('pat', text);
}

/** Whether the token counts now. */
export function isTokenLive(token: Pick<PersonalTokenRecord, 'revoked_at' | 'expires_at'>, now: Instant): boolean {
  return token.revoked_at === null && (token.expires_at === null || token.expires_at > now);
}
