import { sha256 } from '@noble/hashes/sha2.js';
import type { Verdict } from '@countersign/contracts';
import { CoreError } from '../errors.js';
import { fromHex, utf8 } from './bytes.js';

/** The domain of a decision's challenge: 24 bytes, of which the last is zero. */
export const DECISION_DOMAIN = 'countersign/decision/v1\0';

/** What a passkey signs when its person decides. */
export interface DecisionChallengeInput {
  /** `sha256:<hex>` of the request, and of what was shown of it. */
  readonly request_digest: string;
  readonly view_digest: string;
  readonly verdict: Verdict;
  /** 32 random bytes, new for each challenge. */
  readonly nonce: Uint8Array;
}

/**
 * The WebAuthn challenge of a decision: the 32 bytes of
 *
 *     SHA-256( "countersign/decision/v1" 0x00 ‖ request digest ‖ view digest ‖ verdict ‖ nonce )
 *
 * where each digest is its 32 raw bytes (the hexadecimal after `sha256:`, decoded), the verdict is the ASCII text `approve` or `deny`
 * without anything around it, and the nonce is 32 raw bytes. Everything but the verdict has a fixed length, so no two inputs give the
 * same bytes.
 * @throws CoreError `invalid_digest_input` for a digest in another form or a nonce of another length.
 */
export function decisionChallenge({ request_digest, view_digest, verdict, nonce }: DecisionChallengeInput): Uint8Array {
  if (nonce.length !== NONCE_BYTES) throw new CoreError('invalid_digest_input', `the nonce of a decision has ${NONCE_BYTES} bytes`);
  return sha256(Uint8Array.of(...utf8(DECISION_DOMAIN), ...rawDigest(request_digest), ...rawDigest(view_digest), ...utf8(verdict), ...nonce));
}

/** The bytes of a decision's nonce. */
export const NONCE_BYTES = 32;

function rawDigest(digest: string): Uint8Array {
  const found = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (found === undefined) throw new CoreError('invalid_digest_input', 'a digest is "sha256:" and 64 lower-case hexadecimal digits');
  return fromHex(found);
}
