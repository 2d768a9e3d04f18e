/** Passkeys (WebAuthn credentials), the challenges that they sign, and what a verified assertion leaves for a decision. */
import type { PasskeyEvidence, Verdict } from '@countersign/contracts';
import type { NoticeRecord } from './follow-ups.js';
import type { LeafRecord } from './records.js';

/** What a decision takes of passkeys: all that core's flow knows of them. */
export interface PasskeyAssertions {
  /**
   * Takes the verified assertion that a decision body's `passkey` names: once, whatever races, and only where it was made by this person
   * over exactly these digests and this verdict. Null otherwise, and where it is over (its own life is a few minutes; how fresh it must be
   * for a requirement is the flow's question: `verified_at` says). An assertion that was named with another binding is spent all the same.
   */
  take(handle: string, binding: AssertionBinding): Promise<PasskeyEvidence | null>;
}

export interface AssertionBinding {
  tenant: string;
  person_id: string;
  request_digest: string;
  view_digest: string;
  verdict: Verdict;
}

/** One passkey of a person. Rows are kept when a key is removed: decisions refer to it. */
export interface PasskeyRecord {
  tenant: string;
  /** `pk_…` */
  id: string;
  person_id: string;
  /** Base64url, as the browser names it; unique in a tenant, removed keys included. */
  credential_id: string;
  /** COSE_Key, as the authenticator gave it (RFC 9052). */
  public_key: Uint8Array;
  /** The same key as SubjectPublicKeyInfo DER: what the evidence carries. */
  spki: Uint8Array;
  /** The signature counter last seen; 0 where the authenticator has none. */
  counter: number;
  transports: string[];
  /** Which make of authenticator, as it says itself: nothing proves it without attestation. */
  aaguid: string;
  /** WebAuthn level 3, section 6.1.3: whether it may be, and is, copied to other devices. */
  backup_eligible: boolean;
  backed_up: boolean;
  name: string;
  created_at: string;
  last_used_at: string | null;
  removed_at: string | null;
  /** The person who removed it. */
  removed_by: string | null;
}

/** What a challenge is for, and all that its answer is held against: the server's own memory, never the browser's word. */
export type ChallengePurpose =
  | { kind: 'enrolment' }
  | { kind: 'session' }
  | { kind: 'decision'; request_id: string; request_digest: string; view_digest: string; verdict: Verdict; /** Base64url of 32 random bytes. */ nonce: string };

export interface PasskeyChallengeRecord {
  tenant: string;
  /** The challenge itself, base64url. */
  challenge: string;
  person_id: string;
  /** SHA-256 of the cookie's value: an answer comes from the session that asked. */
  session: Uint8Array;
  purpose: ChallengePurpose;
  created_at: string;
  expires_at: string;
}

/** A verified assertion over a decision, until the decision takes it. */
export interface PasskeyAssertionRecord extends AssertionBinding {
  /** SHA-256 of the handle. */
  hash: Uint8Array;
  evidence: PasskeyEvidence;
  expires_at: string;
}

/** That a person pressed a button in a chat for which a passkey is needed: says what was pressed, and gives no right. */
export interface StepUpIntent {
  tenant: string;
  /** A UUIDv7; it stands in the link, and is no secret. */
  id: string;
  request_id: string;
  person_id: string;
  verdict: Verdict;
  reason: string | null;
  /** What was entered besides, for the decision that is made on the page. */
  given: StepUpGiven;
  via: 'slack' | 'teams';
  created_at: string;
  expires_at: string;
  /** When an assertion was made for it. */
  used_at: string | null;
}

/** What was given with a press besides verdict and reason, as a decision takes it; what was not given is not there. */
export interface StepUpGiven {
  ticket?: string;
  acknowledged?: readonly string[];
  break_glass?: true;
  /** The id of the person in whose stead. */
  delegate_for?: string;
}

export interface PasskeyStore extends PasskeyAssertions {
  /** The person's keys, removed ones too, oldest first. */
  list(tenant: string, person_id: string): Promise<PasskeyRecord[]>;
  get(tenant: string, id: string): Promise<PasskeyRecord | null>;
  byCredential(tenant: string, credential_id: string): Promise<PasskeyRecord | null>;
  insertChallenge(challenge: PasskeyChallengeRecord): Promise<void>;
  /** Takes a challenge in one atomic statement; null when it was taken, is over by the database's clock, or was never made. */
  spendChallenge(tenant: string, challenge: string): Promise<PasskeyChallengeRecord | null>;
  /** Adds a key with its leaf, and tells its person; false where the credential is known already, or its person is not active any more. */
  enrol(passkey: PasskeyRecord, leaf: LeafRecord, notice: NoticeRecord): Promise<boolean>;
  rename(tenant: string, id: string, person_id: string, name: string): Promise<boolean>;
  /** Removes keys that are not removed yet, with their leaves; the ids that it removed. Their assertions that wait are void. */
  remove(removal: { tenant: string; person_id: string; by: string; keys: { id: string; leaf: LeafRecord; notice: NoticeRecord }[] }): Promise<string[]>;
  /**
   * Records that the key has signed: false where it was removed, its person is not active, or the counter did not rise since
   * (two zeros: the authenticator has none). With `assertion`, that waits for its decision from now on; with `intent`, it is used up;
   * with `session`, the session of that hash is proved anew: it gets another hash, `auth_time` is `at`, and `amr` is added to its own.
   */
  used(use: {
    tenant: string;
    id: string;
    counter: number;
    backed_up: boolean;
    assertion: PasskeyAssertionRecord | null;
    intent: string | null;
    session: { hash: Uint8Array; next: Uint8Array; amr: string[]; at: string } | null;
  }): Promise<boolean>;
  insertIntent(intent: StepUpIntent): Promise<void>;
  intent(tenant: string, id: string): Promise<StepUpIntent | null>;
}
