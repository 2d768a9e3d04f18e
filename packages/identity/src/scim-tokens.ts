import type { Clock, Entropy, ScimStore, ScimTokenRecord } from '@countersign/core/ports';
import { addSeconds, newUuid } from '@countersign/core/request';
import { makeToken, parseToken, sameHash } from './secret-token.js';

/** How long a SCIM token lives unless told otherwise: a year, in seconds. Directory clients cannot renew their own. */
export const SCIM_TOKEN_LIFE_SECONDS = 365 * 24 * 3600;

export interface NewScimToken {
  tenant: string;
  name: string;
  /** A person's id, or an account of the machine. */
  created_by: string;
  life_seconds?: number | undefined;
}

/** Makes a token `cs_scim_…`; `token` is shown once, the record keeps its hash. */
export function makeScimToken(
  world: { clock: Clock; entropy: Entropy },
  { tenant, name, created_by, life_seconds }: NewScimToken,
): { token: string; record: ScimTokenRecord } {
  const created_at = world.clock.now();
  const token = makeToken('scim', world.entropy);
  const expires_at = addSeconds(created_at, life_seconds ?? SCIM_TOKEN_LIFE_SECONDS);
  const id = newUuid(created_at, world.entropy.bytes(10));
  const record = { id, tenant, hash: token.hash, prefix: token.prefix, name, created_by, created_at, expires_at, revoked_at: null, last_used_at: null };
  return { token: token.text, record };
}

/** The token of a bearer; null for anything that is not a live SCIM token, whatever else it is. */
export async function authenticateScim(bearer: string, world: { scim: Pick<ScimStore, 'tokenByHash'>; clock: Clock }): Promise<ScimTokenRecord | null> {
  const token = parseToken('scim', bearer);
  if (token === null) return null;
  const found = await world.scim.tokenByHash(token.hash);
  if (found === null || !sameHash(found.hash, token.hash) || found.revoked_at !== null) return null;
  return found.expires_at === null || found.expires_at > world.clock.now() ? found : null;
}
