import type { CallerStore } from '../ports.js';
import type { FlowDeps } from './deps.js';
import { voidRequest } from './revoke.js';

/** So many are read at once. */
const BATCH = 100;

export interface VoidingDeps {
  flow: FlowDeps;
  callers: Pick<CallerStore, 'voidable' | 'unvoided' | 'voided'>;
}

/**
 * Ends everything of a caller that waits or may still be redeemed, each as its own commit with its callback.
 * @param reason what requesters and cards are told, a sentence
 * @returns how many requests ended by it
 */
export async function voidRequestsOf({ flow, callers }: VoidingDeps, key: { tenant: string; id: string }, reason: string): Promise<number> {
  let voided = 0;
  for (;;) {
    const found = await callers.voidable(key.tenant, key.id, BATCH);
    let progress = false;
    for (const { request_id } of found) {
      const outcome = await voidRequest(flow, key.tenant, request_id, reason);
      if (outcome.kind === 'done') {
        voided += 1;
        progress = true;
      }
    }
    if (found.length < BATCH || !progress) return voided;
  }
}

/**
 * Goes on with what revocations left: those that a crash cut short, and requests that were being opened or approved while their key was
 * revoked. Nothing of them can be approved or redeemed meanwhile, since those commits ask for the key.
 */
export async function finishVoiding(deps: VoidingDeps): Promise<number> {
  let voided = 0;
  for (const key of await deps.callers.unvoided()) {
    voided += await voidRequestsOf(deps, key, revokedReason(key.name, key.reason));
    await deps.callers.voided(key.tenant, key.id);
  }
  return voided;
}

/** What is said of a request that ended with its key. */
export const revokedReason = (name: string, reason: string): string =>
  `The API key "${name}" was revoked${reason === '' ? '.' : `: ${reason.replace(/\.$/, '')}.`}`;
