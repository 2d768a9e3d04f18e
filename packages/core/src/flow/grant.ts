import type { RequestState } from '../ports.js';
import { fromUtf8 } from '../request/bytes.js';
import type { FlowDeps } from './deps.js';

/** The request's grant while it can be redeemed; null when there is none, or it is redeemed, revoked, over or frozen. */
export async function liveGrant(deps: Pick<FlowDeps, 'sealer' | 'clock'>, state: RequestState): Promise<string | null> {
  const { request, grant, freezes = [] } = state;
  if (freezes.length > 0) return null;
  if (grant === null || request.status !== 'approved' || request.redeemed_at !== null || grant.expires_at <= deps.clock.now()) return null;
  const sealed = await deps.sealer.open({ tenant: request.tenant, table: 'grants', row: grant.id, column: 'sealed_token' }, grant.sealed_token);
  return fromUtf8(sealed);
}
