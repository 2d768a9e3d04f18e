import { authenticateCaller, type CallerProof, inNetworks } from '@countersign/identity';
import type { IntakeDeps } from '../deps.js';
import { trouble, type Trouble } from '../problems.js';
import type { Reader } from '../visibility.js';
import type { RecentCallers } from './recent-callers.js';

/** How old a note of use may be before it is written again, in milliseconds. */
const USED_MS = 60_000;

/** The caller of a proof, or why there is none. A refused proof says what is wrong with it as far as that helps nobody else. */
export async function identifyCaller(
  deps: Pick<IntakeDeps, 'credentials' | 'flow' | 'callers' | 'workloads' | 'log'>,
  proof: CallerProof,
  recent: RecentCallers | null,
  from: string | null,
): Promise<Extract<Reader, { kind: 'caller' }> | Trouble> {
  const { flow, callers, credentials, workloads } = deps;
  const at = flow.clock.now();
  // A workload's token may count once, and ends with its rule: whether it counts is asked each time.
  const bearer = 'bearer' in proof && proof.bearer.startsWith('cs_key_') ? proof.bearer : null;
  const known = bearer === null ? null : (recent?.get(bearer) ?? null);
  if (known !== null && inNetworks(known.networks, from)) {
    const { caller } = known;
    return { kind: 'caller', tenant: caller.tenant, caller: { ...caller, authenticated: { ...caller.authenticated, at } } };
  }
  const found = await authenticateCaller(
    proof,
    { credentials, clock: flow.clock, issuer: flow.publicUrl, callers, ...(workloads === undefined ? {} : { workloads }) },
    from,
  );
  switch (found.kind) {
    case 'refused':
      return trouble('unauthenticated', found.detail, { headers: { 'WWW-Authenticate': 'Bearer realm="countersign", error="invalid_token"' } });
    case 'try_later':
      return trouble('unavailable', found.detail, { headers: { 'Retry-After': String(found.retry_after_seconds) } });
    case 'caller': {
      const { caller, networks, last_used_at } = found;
      if (bearer !== null) recent?.add(bearer, { caller, networks });
      if (last_used_at === null || Date.parse(at) - Date.parse(last_used_at) > USED_MS) {
        // Nobody waits for the note, and nothing depends on it.
        void callers
          .used(caller.tenant, caller.key_id)
          .catch((error: unknown) => deps.log.warn({ err: error, key_id: caller.key_id }, 'The use of an API key could not be noted'));
      }
      return { kind: 'caller', tenant: caller.tenant, caller };
    }
  }
}
