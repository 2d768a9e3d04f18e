import type { PublicKeyCredentialCreationOptionsJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import { generateRegistrationOptions, verifyRegistrationResponse } from '@simplewebauthn/server';
import { loneLeaf, noticeOf } from '@countersign/core/flow';
import type { PasskeyRecord } from '@countersign/core/ports';
import { addSeconds, base64url, newId } from '@countersign/core/request';
import { ALGORITHMS, challengeIn, spkiOf } from './public-key.js';
import { CEREMONY_SECONDS, type CeremonyPerson, type PasskeyRefusal, type PasskeyWorld, refuse, relyingParty, userHandle } from './relying-party.js';

/** As many passkeys as one person can have: every device of theirs, and spares. */
const MOST_PASSKEYS = 20;

/** What navigator.credentials.create is asked for. The caller has made sure that the session's sign-in is fresh. */
export async function enrolmentOptions(world: PasskeyWorld, who: CeremonyPerson): Promise<PublicKeyCredentialCreationOptionsJSON | PasskeyRefusal> {
  const rp = relyingParty(world.publicUrl);
  const mine = (await world.passkeys.list(who.tenant, who.person.id)).filter(({ removed_at }) => removed_at === null);
  if (mine.length >= MOST_PASSKEYS) return refuse('too_many');
  const challenge = world.entropy.bytes(32);
  const now = world.clock.now();
  await world.passkeys.insertChallenge({
    tenant: who.tenant,
    challenge: base64url(challenge),
    person_id: who.person.id,
    session: who.session,
    purpose: { kind: 'enrolment' },
    created_at: now,
    expires_at: addSeconds(now, CEREMONY_SECONDS),
  });
  return generateRegistrationOptions({
    rpName: rp.name,
    rpID: rp.id,
    userID: new Uint8Array(userHandle(who)),
    userName: who.person.email,
    userDisplayName: who.person.name,
    challenge: new Uint8Array(challenge),
    timeout: CEREMONY_SECONDS * 1000,
    attestationType: world.aaguids.length > 0 ? 'direct' : 'none',
    excludeCredentials: mine.map(({ credential_id, transports }) => ({ id: credential_id, transports })),
    authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
    supportedAlgorithmIDs: ALGORITHMS,
  });
}

/** Enrols the key that the browser made, with its ledger entry (`passkey.enrolled`), or says why not. */
export async function enrol(
  world: PasskeyWorld,
  who: CeremonyPerson,
  response: RegistrationResponseJSON,
  name: string,
): Promise<{ kind: 'enrolled'; passkey: PasskeyRecord } | PasskeyRefusal> {
  const client = challengeIn(response.response.clientDataJSON);
  if (client === null) return refuse('malformed');
  const asked = await world.passkeys.spendChallenge(who.tenant, client.challenge);
  if (asked === null) return refuse('challenge_over');
  if (asked.person_id !== who.person.id || !Buffer.from(asked.session).equals(who.session)) return refuse('other_session');
  if (asked.purpose.kind !== 'enrolment') return refuse('other_purpose');
  if (client.crossOrigin) return refuse('cross_origin');
  const rp = relyingParty(world.publicUrl);
  const verified = await verifyRegistrationResponse({
    response,
    expectedChallenge: asked.challenge,
    expectedOrigin: rp.origin,
    expectedRPID: rp.id,
    requireUserVerification: true,
    supportedAlgorithmIDs: ALGORITHMS,
    // The library throws what it does not accept.
  }).catch(() => null);
  const made = verified?.registrationInfo;
  if (made === undefined) return refuse('not_verified');
  const spki = spkiOf(made.credential.publicKey);
  if (spki === null) return refuse('not_verified');
  // Without an attestation statement the make is the authenticator's word alone.
  if (world.aaguids.length > 0 && (made.fmt === 'none' || !world.aaguids.includes(made.aaguid.toLowerCase()))) return refuse('make_not_allowed');
  const at = world.clock.now();
  const passkey: PasskeyRecord = {
    tenant: who.tenant,
    id: newId('pk', at, world.entropy.bytes(10)),
    person_id: who.person.id,
    credential_id: made.credential.id,
    public_key: made.credential.publicKey,
    spki,
    counter: made.credential.counter,
    transports: made.credential.transports ?? [],
    aaguid: made.aaguid,
    backup_eligible: made.credentialDeviceType === 'multiDevice',
    backed_up: made.credentialBackedUp,
    name,
    created_at: at,
    last_used_at: null,
    removed_at: null,
    removed_by: null,
  };
  const leaf = await loneLeaf(world, {
    tenant: who.tenant,
    event: 'passkey.enrolled',
    subject: passkey.id,
    at,
    facts: { aaguid: passkey.aaguid, attestation: made.fmt, backup_eligible: passkey.backup_eligible },
    details: { person: { ...pick(who.person) }, credential_id: passkey.credential_id, public_key: base64url(spki), name },
  });
  const notice = noticeOf(world, null, 'passkey_enrolled', at, {
    people: [who.person.id],
    text: `The passkey "${name}" was enrolled for you. If that was not you, remove it under ${world.publicUrl}/passkeys and tell an administrator.`,
  });
  return (await world.passkeys.enrol(passkey, leaf, notice)) ? { kind: 'enrolled', passkey } : refuse('key_known');
}

/**
 * Removes keys of a person, each with its ledger entry (`passkey.removed`): what waits signed by them is void from then on.
 * @param keys ids; absent: all that the person has
 * @param why in words: an administrator's reason for a reset
 */
export async function removePasskeys(
  world: Pick<PasskeyWorld, 'passkeys' | 'sealer' | 'entropy' | 'clock'>,
  removal: { tenant: string; person: CeremonyPerson['person']; by: CeremonyPerson['person']; keys?: readonly string[]; why: string | null },
): Promise<PasskeyRecord[]> {
  const { tenant, person, by, keys, why } = removal;
  const live = (await world.passkeys.list(tenant, person.id)).filter((key) => key.removed_at === null && (keys === undefined || keys.includes(key.id)));
  const at = world.clock.now();
  const leaves = await Promise.all(
    live.map(async (key) => ({
      id: key.id,
      leaf: await loneLeaf(world, {
        tenant,
        event: 'passkey.removed',
        subject: key.id,
        at,
        facts: { by: by.id === person.id ? 'its person' : 'an administrator' },
        details: { person: pick(person), by: pick(by), credential_id: key.credential_id, name: key.name, why },
      }),
      notice: noticeOf(world, null, 'passkey_removed', at, {
        people: [person.id],
        text: `Your passkey "${key.name}" was removed${by.id === person.id ? '' : ` by ${by.name}: ${why ?? ''}`}. If you do not know why, tell an administrator.`,
      }),
    })),
  );
  const removed = await world.passkeys.remove({ tenant, person_id: person.id, by: by.id, keys: leaves });
  return live.filter(({ id }) => removed.includes(id));
}

const pick = ({ id, email, name }: CeremonyPerson['person']): { id: string; email: string; name: string } => ({ id, email, name });
