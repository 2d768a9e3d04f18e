import { createHash } from 'node:crypto';
import type { AuthenticationResponseJSON, PublicKeyCredentialRequestOptionsJSON } from '@simplewebauthn/server';
import { generateAuthenticationOptions, verifyAuthenticationResponse } from '@simplewebauthn/server';
import type { PasskeyEvidence, Verdict } from '@countersign/contracts';
import type { ChallengePurpose, PasskeyChallengeRecord, PasskeyRecord } from '@countersign/core/ports';
import { addSeconds, base64url, decisionChallenge, fromBase64url, NONCE_BYTES } from '@countersign/core/request';
import { challengeIn } from './public-key.js';
import { CEREMONY_SECONDS, type CeremonyPerson, type PasskeyRefusal, type PasskeyWorld, refuse, relyingParty, userHandle } from './relying-party.js';

/** How long a verified assertion waits for its decision, in seconds; a requirement may want it fresher. */
export const HANDLE_SECONDS = 300;

/** What a decision's assertion is over: the stored request, never what the browser says of it. */
export interface DecisionSubject {
  request_id: string;
  request_digest: string;
  view_digest: string;
  verdict: Verdict;
}

/** What navigator.credentials.get is asked for, so that its person decides: a challenge over request, view and verdict. */
export async function decisionOptions(world: PasskeyWorld, who: CeremonyPerson, subject: DecisionSubject): Promise<PublicKeyCredentialRequestOptionsJSON> {
  const nonce = world.entropy.bytes(NONCE_BYTES);
  return requestOptions(world, who, decisionChallenge({ ...subject, nonce }), { kind: 'decision', ...subject, nonce: base64url(nonce) });
}

/** The same, so that its person proves in the session who they are. */
export async function sessionOptions(world: PasskeyWorld, who: CeremonyPerson): Promise<PublicKeyCredentialRequestOptionsJSON> {
  return requestOptions(world, who, world.entropy.bytes(32), { kind: 'session' });
}

async function requestOptions(
  world: PasskeyWorld,
  who: CeremonyPerson,
  challenge: Uint8Array,
  purpose: ChallengePurpose,
): Promise<PublicKeyCredentialRequestOptionsJSON> {
  const now = world.clock.now();
  await world.passkeys.insertChallenge({
    tenant: who.tenant,
    challenge: base64url(challenge),
    person_id: who.person.id,
    session: who.session,
    purpose,
    created_at: now,
    expires_at: addSeconds(now, CEREMONY_SECONDS),
  });
  const mine = await world.passkeys.list(who.tenant, who.person.id);
  return generateAuthenticationOptions({
    rpID: relyingParty(world.publicUrl).id,
    challenge: new Uint8Array(challenge),
    timeout: CEREMONY_SECONDS * 1000,
    userVerification: 'required',
    allowCredentials: mine.flatMap(({ credential_id: id, transports, removed_at }) => (removed_at === null ? [{ id, transports }] : [])),
  });
}

/**
 * Verifies an assertion over a decision and gives the handle that the decision names: once, for this person, request, view and verdict.
 * @param stored the request as it is stored now: the challenge is computed again from it
 * @param intent the press in a chat that led here; it is used up
 */
export async function assertDecision(
  world: PasskeyWorld,
  who: CeremonyPerson,
  response: AuthenticationResponseJSON,
  stored: { id: string; request_digest: string; view_digest: string },
  intent: string | null,
): Promise<{ kind: 'asserted'; handle: string; verdict: Verdict; expires_at: string } | PasskeyRefusal> {
  const asked = await answered(world, who, response, 'decision');
  if (asked.kind === 'refused') return asked;
  const { purpose } = asked.challenge;
  if (purpose.kind !== 'decision' || purpose.request_id !== stored.id) return refuse('other_purpose');
  const { request_digest, view_digest } = stored;
  const { verdict, nonce } = purpose;
  const expected = base64url(decisionChallenge({ request_digest, view_digest, verdict, nonce: fromBase64url(nonce) }));
  const verified = await verify(world, who, asked.key, response, expected);
  if (verified.kind === 'refused') return verified;
  const at = world.clock.now();
  const handle = base64url(world.entropy.bytes(32));
  const evidence: PasskeyEvidence = {
    credential_id: asked.key.credential_id,
    public_key: base64url(asked.key.spki),
    client_data_json: response.response.clientDataJSON,
    authenticator_data: response.response.authenticatorData,
    signature: response.response.signature,
    nonce,
    verified_at: at,
  };
  const expires_at = addSeconds(at, HANDLE_SECONDS);
  const counted = await world.passkeys.used({
    tenant: who.tenant,
    id: asked.key.id,
    ...verified.use,
    assertion: {
      hash: createHash('sha256').update(handle, 'utf8').digest(),
      tenant: who.tenant,
      person_id: who.person.id,
      request_digest,
      view_digest,
      verdict,
      evidence,
      expires_at,
    },
    intent,
    session: null,
  });
  return counted ? { kind: 'asserted', handle, verdict, expires_at } : notCounted(world, asked.key);
}

/** Verifies an assertion over a session: from then on its sign-in is fresh, and its cookie has another value. */
export async function assertSession(
  world: PasskeyWorld,
  who: CeremonyPerson,
  response: AuthenticationResponseJSON,
): Promise<{ kind: 'proved'; /** For the cookie. */ value: string; at: string } | PasskeyRefusal> {
  const asked = await answered(world, who, response, 'session');
  if (asked.kind === 'refused') return asked;
  const verified = await verify(world, who, asked.key, response, asked.challenge.challenge);
  if (verified.kind === 'refused') return verified;
  const value = base64url(world.entropy.bytes(32));
  const at = world.clock.now();
  const counted = await world.passkeys.used({
    tenant: who.tenant,
    id: asked.key.id,
    ...verified.use,
    assertion: null,
    intent: null,
    session: {
      hash: who.session,
      next: createHash('sha256').update(value, 'utf8').digest(),
      // RFC 8176: a key in software may be copied to other devices, and either way its person was checked.
      amr: [asked.key.backup_eligible ? 'swk' : 'hwk', 'user'],
      at,
    },
  });
  return counted ? { kind: 'proved', value, at } : notCounted(world, asked.key);
}

/** The challenge that is answered, spent, and the key that answers: both this person's, in this session. */
async function answered(
  world: PasskeyWorld,
  who: CeremonyPerson,
  response: AuthenticationResponseJSON,
  kind: ChallengePurpose['kind'],
): Promise<{ kind: 'answered'; challenge: PasskeyChallengeRecord; key: PasskeyRecord } | PasskeyRefusal> {
  const client = challengeIn(response.response.clientDataJSON);
  if (client === null) return refuse('malformed');
  const challenge = await world.passkeys.spendChallenge(who.tenant, client.challenge);
  if (challenge === null) return refuse('challenge_over');
  if (challenge.person_id !== who.person.id || !Buffer.from(challenge.session).equals(who.session)) return refuse('other_session');
  if (challenge.purpose.kind !== kind) return refuse('other_purpose');
  // The library lets it pass where the browser does not say which site stood around us.
  if (client.crossOrigin) return refuse('cross_origin');
  const key = await world.passkeys.byCredential(who.tenant, response.id);
  if (key === null) return refuse('unknown_key');
  if (key.person_id !== who.person.id) return refuse('not_your_key');
  if (key.removed_at !== null) return refuse('key_removed');
  return { kind: 'answered', challenge, key };
}

/** Section 7.2 of WebAuthn level 3, by the library; what it does not accept it throws. */
async function verify(
  world: PasskeyWorld,
  who: CeremonyPerson,
  key: PasskeyRecord,
  response: AuthenticationResponseJSON,
  expectedChallenge: string,
): Promise<{ kind: 'verified'; use: { counter: number; backed_up: boolean } } | PasskeyRefusal> {
  const handle = response.response.userHandle;
  if (handle !== undefined && handle !== '' && handle !== userHandle(who).toString('base64url')) return refuse('not_your_key');
  const rp = relyingParty(world.publicUrl);
  const verified = await verifyAuthenticationResponse({
    response,
    expectedChallenge,
    expectedOrigin: rp.origin,
    expectedRPID: rp.id,
    expectedType: 'webauthn.get',
    // The counter is judged where it is stored, so that of a key and its copy at once one counts.
    credential: { id: key.credential_id, publicKey: new Uint8Array(key.public_key), counter: 0 },
    requireUserVerification: true,
  }).catch(() => null);
  if (verified === null || !verified.verified) return refuse('not_verified');
  const { newCounter, credentialBackedUp } = verified.authenticationInfo;
  return { kind: 'verified', use: { counter: newCounter, backed_up: credentialBackedUp } };
}

/** Why a key's use did not count: it was removed meanwhile, or its counter did not rise. */
async function notCounted(world: PasskeyWorld, { tenant, id }: PasskeyRecord): Promise<PasskeyRefusal> {
  const now = await world.passkeys.get(tenant, id);
  return refuse(now === null || now.removed_at !== null ? 'key_removed' : 'counter');
}
