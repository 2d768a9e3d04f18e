import type { GrantClaims } from '@countersign/contracts';
import type { Announcer, Clock, Entropy, PasskeyAssertions, PatternStore, RequestStore, Sealer, Signer } from '../ports.js';
import type { PolicySource } from './policies.js';

/** What the use cases need of the world; each app that runs a flow puts it together once. */
export interface FlowDeps {
  requests: RequestStore;
  policies: PolicySource;
  sealer: Sealer;
  /** The active key for grants. */
  signer(): Signer;
  /** Checks a grant's form and signature against our published keys, strictly; null when it is forged or malformed. */
  verifyGrant(token: string): Promise<GrantClaims | null>;
  /**
   * Checks a DPoP proof (RFC 9449) over a grant by the key of that thumbprint, and spends it: it counts once. Absent: no proof is good.
   * A sentence where it is none.
   */
  checkProof?(proof: { text: string; tenant: string; method: string; path: string; grant: string; jkt: string }): Promise<string | null>;
  /** Absent where nobody can enrol a passkey: what needs one is refused then. */
  passkeys?: PasskeyAssertions;
  /** Absent where no patterns are used: everything that needs people asks them. */
  patterns?: PatternStore;
  clock: Clock;
  entropy: Entropy;
  announcer: Announcer;
  /** Whether a callback may go to that address as far as its text tells; a name is checked again at each connect. */
  checkCallback(url: string): { ok: true } | { ok: false; reason: string };
  /** Without a slash at its end. */
  publicUrl: string;
  /** How long people have where neither caller nor policy says, in seconds. */
  defaultTimeoutSeconds: number;
}

/** How often a use case plans anew after losing a compare-and-set; each loss means that somebody else made progress. */
export const MAX_PLANS = 50;
