import { loneLeaf } from '@countersign/core/flow';
import type { ApiKeyRecord, CallerStore, Clock, Entropy, Sealer } from '@countersign/core/ports';
import { isKeyLive } from '../api-keys.js';
import { inNetworks } from '../caller-networks.js';
import { CALLER_TOKEN_SECONDS, makeWorkloadToken } from './caller-token.js';
import type { WorkloadVerdict, WorkloadVerifier } from './verify-workload-token.js';

export interface ExchangeWorld {
  workloads: WorkloadVerifier;
  callers: Pick<CallerStore, 'insertWorkloadToken'>;
  /** Keeps leaves that belong to no request. */
  record: (tenant: string, leaf: Awaited<ReturnType<typeof loneLeaf>>) => Promise<void>;
  clock: Clock;
  entropy: Entropy;
  sealer: Sealer;
}

export type Exchange = { kind: 'exchanged'; token: string; expires_in: number; caller: ApiKeyRecord } | Exclude<WorkloadVerdict, { kind: 'verified' }>;

/** Gives a caller token for a platform's token (RFC 8693): ten minutes, bound to what the platform's token says now. */
export async function exchangeToken(world: ExchangeWorld, subjectToken: string, from: string | null): Promise<Exchange> {
  const verdict = await world.workloads.verify(subjectToken);
  if (verdict.kind !== 'verified') return verdict;
  const { caller, rule, evidence } = verdict;
  if (!isKeyLive(caller, world.clock.now()) || caller.owner_active === false)
    return { kind: 'refused', detail: 'The caller of this token is not active. Ask an administrator.' };
  if (!inNetworks(caller.networks ?? [], from)) return { kind: 'refused', detail: 'This token may not be used from this network address.' };
  const { token, record } = makeWorkloadToken(world, { tenant: caller.tenant, key_id: caller.id, rule, evidence });
  const leaf = await loneLeaf(world, {
    tenant: caller.tenant,
    event: 'workload.exchanged',
    subject: caller.id,
    at: world.clock.now(),
    facts: { rule, expires_at: record.expires_at },
    details: { issuer: evidence.issuer, subject: evidence.subject, token_id: evidence.token_id, claims: evidence.claims, human: evidence.human },
  });
  // The entry first: a token that the ledger knows nothing of must not exist.
  await world.record(caller.tenant, leaf);
  await world.callers.insertWorkloadToken(record);
  return { kind: 'exchanged', token, expires_in: CALLER_TOKEN_SECONDS, caller };
}
