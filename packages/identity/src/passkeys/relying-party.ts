import { createHash } from 'node:crypto';
import type { Clock, Entropy, PasskeyStore, Sealer } from '@countersign/core/ports';

/** What passkeys need of the world. */
export interface PasskeyWorld {
  passkeys: PasskeyStore;
  clock: Clock;
  entropy: Entropy;
  sealer: Sealer;
  /** The service's address: the one origin that counts, and by its host the relying party's id. */
  publicUrl: string;
  /** The makes of authenticator that count, by AAGUID; empty: any, and no attestation is asked for. */
  aaguids: readonly string[];
}

/** A person in their own session, which every ceremony belongs to. */
export interface CeremonyPerson {
  tenant: string;
  person: { id: string; email: string; name: string };
  /** SHA-256 of the cookie's value. */
  session: Uint8Array;
}

/** How long a ceremony may take, in seconds. */
export const CEREMONY_SECONDS = 300;

/** Who asks for passkeys (WebAuthn level 3, section 5.4.2): exactly our host, and pages of exactly our origin. */
export function relyingParty(publicUrl: string): { id: string; origin: string; name: string } {
  const { hostname, origin } = new URL(publicUrl);
  return { id: hostname, origin, name: 'Countersign' };
}

/** What authenticators know a person by: nothing that names one (section 14.6.1), and the same for all of a person's keys. */
export function userHandle({ tenant, person }: Pick<CeremonyPerson, 'tenant' | 'person'>): Buffer {
  return createHash('sha256').update(`countersign/user/v1\0${tenant}\0${person.id}`, 'utf8').digest();
}

/** A ceremony that came to nothing, in words for its person. */
export interface PasskeyRefusal {
  kind: 'refused';
  code: PasskeyFault;
  text: string;
}

/** What was wrong, for the ledger and for tests. */
export type PasskeyFault =
  | 'malformed'
  | 'challenge_over'
  | 'other_session'
  | 'other_purpose'
  | 'not_verified'
  | 'cross_origin'
  | 'unknown_key'
  | 'not_your_key'
  | 'key_removed'
  | 'key_known'
  | 'make_not_allowed'
  | 'counter'
  | 'too_many';

const words: Record<PasskeyFault, string> = {
  malformed: 'This is not what a browser gives for a passkey.',
  challenge_over: 'This passkey prompt was answered already, or its time is over. Start again.',
  other_session: 'This passkey prompt belongs to another session. Start again in this one.',
  other_purpose: 'This passkey prompt was for something else. Start again.',
  not_verified: 'The passkey does not verify: it signed something else, for another address, or did not check that it is you.',
  cross_origin: 'The passkey was asked for inside a page of another site. Open Countersign by itself.',
  unknown_key: 'This passkey is not enrolled here.',
  not_your_key: 'This passkey belongs to somebody else. Use your own.',
  key_removed: 'This passkey was removed. Use another one, or enrol it anew with a fresh sign-in.',
  key_known: 'This passkey is enrolled already.',
  make_not_allowed: 'This make of authenticator is not on the list of those that count here. Ask an administrator which are.',
  counter: 'The counter of this passkey did not rise: there may be a copy of it. Remove it, enrol another one, and tell an administrator.',
  too_many: 'You have as many passkeys as one can have. Remove one first.',
};

export const refuse = (code: PasskeyFault): PasskeyRefusal => ({ kind: 'refused', code, text: words[code] });
