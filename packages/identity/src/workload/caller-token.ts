import type { Clock, Entropy, WorkloadEvidence, WorkloadTokenRecord } from '@countersign/core/ports';
import { addSeconds } from '@countersign/core/request';
import { makeToken, parseToken, type SecretToken } from '../secret-token.js';

/** How long the token of an exchange lives, in seconds: ten minutes. */
export const CALLER_TOKEN_SECONDS = 600;

/** Makes a caller token `cs_run_…` bound to what the platform's token said; the record keeps its hash. */
export function makeWorkloadToken(
  world: { clock: Clock; entropy: Entropy },
  of: { tenant: string; key_id: string; rule: string; evidence: WorkloadEvidence },
): { token: string; record: WorkloadTokenRecord } {
  const now = world.clock.now();
  const token = makeToken('run', world.entropy);
  return { token: token.text, record: { hash: token.hash, ...of, created_at: now, expires_at: addSeconds(now, CALLER_TOKEN_SECONDS) } };
}

/** Reads a caller token; null where it is none, its checksum included. */
export function parseWorkloadToken(text: string): SecretToken | null {
  return parseToken('run', text);
}
