import { loneLeaf } from '@countersign/core/flow';
import {
  type AuthenticatedPerson,
  type CeremonyPerson,
  hashOf,
  isFresh,
  type PasskeyFault,
  type PasskeyRefusal,
  type PasskeyWorld,
  readSessionCookie,
} from '@countersign/identity';
import type { IntakeDeps } from './deps.js';
import { type Trouble, trouble } from './problems.js';

export function passkeyWorld({ passkeys, passkeyMakes, flow }: IntakeDeps): PasskeyWorld {
  return { passkeys, clock: flow.clock, entropy: flow.entropy, sealer: flow.sealer, publicUrl: flow.publicUrl, aaguids: passkeyMakes ?? [] };
}

/** The person in their own session: a passkey belongs to a browser, so a token does not do. */
export function ceremony(deps: IntakeDeps, reader: AuthenticatedPerson, cookie: string | undefined): CeremonyPerson | Trouble {
  const value = reader.method === 'session' ? readSessionCookie(deps.flow.publicUrl, cookie) : null;
  if (value === null) return trouble('forbidden', 'Passkeys are used in a browser, in your own session: not with a token.');
  const { id, email, name } = reader.person;
  return { tenant: reader.tenant, person: { id, email, name }, session: hashOf(value) };
}

/** The same where the person has proved who they are just now: by signing in, or by a passkey (`POST /v1/sessions/step-up`). */
export function freshCeremony(deps: IntakeDeps, reader: AuthenticatedPerson, cookie: string | undefined): CeremonyPerson | Trouble {
  const who = ceremony(deps, reader, cookie);
  if ('problem' in who) return who;
  if (isFresh(reader.session?.auth_time ?? null, deps.flow.clock.now())) return who;
  return trouble('step_up_required', 'Prove again that it is you: sign in anew, or use a passkey. Your sign-in is more than five minutes old.');
}

/** A ceremony that came to nothing, as the API says it. */
export function passkeyTrouble({ text }: PasskeyRefusal): Trouble {
  return trouble('passkey_refused', text);
}

/** What an attacker leaves behind, and nobody else: these are ledger entries (`passkey.refused`). */
const TELLING: readonly PasskeyFault[] = ['other_session', 'not_verified', 'cross_origin', 'not_your_key', 'key_removed', 'counter'];

/** Records a refused assertion that an honest browser does not make. */
export async function recordRefusedPasskey(deps: IntakeDeps, who: CeremonyPerson, refusal: PasskeyRefusal, about: string): Promise<void> {
  if (!TELLING.includes(refusal.code)) return;
  const leaf = await loneLeaf(deps.flow, {
    tenant: who.tenant,
    event: 'passkey.refused',
    subject: who.person.id,
    at: deps.flow.clock.now(),
    facts: { code: refusal.code },
    details: { person: { ...who.person }, about },
  });
  await deps.flow.requests.record(who.tenant, [leaf]);
  deps.flow.announcer.announce('decisions');
}
