import { type CompiledBundle, compileCanonical } from '../policy/index.js';
import type { PolicyStore } from '../ports.js';
import { CoreError } from '../errors.js';

/** Compiled bundles by digest. A digest names one text for ever, so that what is cached never goes stale. */
export interface PolicySource {
  bundle(tenant: string, digest: string): Promise<CompiledBundle>;
}

/** How many compiled bundles are kept: the one in force and those that open requests are pinned to. */
const KEPT = 32;

/** Reads bundles from the store and keeps the latest used ones compiled. */
export function createPolicySource(store: Pick<PolicyStore, 'canonical'>): PolicySource {
  const kept = new Map<string, CompiledBundle>();
  return {
    async bundle(tenant, digest) {
      const key = `${tenant}/${digest}`;
      const hit = kept.get(key);
      if (hit !== undefined) {
        kept.delete(key);
        kept.set(key, hit);
        return hit;
      }
      const canonical = await store.canonical(tenant, digest);
      if (canonical === null) throw new CoreError('policy_missing', `The policy bundle ${digest} is not in the store.`);
      const compiled = compileCanonical(canonical);
      if (!compiled.ok || compiled.bundle.digest !== digest) {
        throw new CoreError('policy_missing', `The stored policy bundle ${digest} does not compile to that digest.`);
      }
      kept.set(key, compiled.bundle);
      for (const oldest of kept.keys()) {
        if (kept.size <= KEPT) break;
        kept.delete(oldest);
      }
      return compiled.bundle;
    },
  };
}
