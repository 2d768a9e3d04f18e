import type { NoticeKind } from '@countersign/contracts';
import type { CompiledBundle } from '@countersign/core/policy';
import type { NoticeTask, Person, RequestState } from '@countersign/core/ports';
import type { ChatWorld } from '../world.js';

/** What wakes people: an emergency, and what only they can know to be theft. */
const LOUD: ReadonlySet<NoticeKind> = new Set(['break_glass', 'passkey_enrolled', 'passkey_removed']);

/** The bundle in force, which says when nobody is disturbed; null where there is none yet. */
export async function policyInForce({ store, flow }: Pick<ChatWorld, 'store' | 'flow'>, tenant: string): Promise<CompiledBundle | null> {
  const active = await store.policies.active(tenant);
  return active === null ? null : flow.policies.bundle(tenant, active.digest);
}

/**
 * Until when a direct message to this person waits, in milliseconds since 1970; null: it goes out now. Time is the database's. Nothing waits
 * beyond the end of its request's time, nor where the quiet has no end: nobody would be told at all.
 */
export function quietUntil(
  policy: CompiledBundle | null,
  { task, state, person }: { task: Pick<NoticeTask, 'notice' | 'claimed_at'>; state: RequestState | null; person: Person },
): number | null {
  if (policy === null || LOUD.has(task.notice.kind)) return null;
  const request = state?.request;
  if (request?.requirement?.urgent === true) return null;
  const now = Date.parse(task.claimed_at);
  const groups = policy.expandGroups(person.groups);
  const until = policy.quiet.reduce<number | null>((end, hours) => {
    if (hours.groups !== null && !hours.groups.some((group) => groups.includes(group))) return end;
    const own = hours.endOf(now);
    return own === null ? end : Math.max(end ?? own, own);
  }, null);
  if (until === null) return null;
  return request?.status === 'pending' && Date.parse(request.expires_at) <= until ? null : until;
}
