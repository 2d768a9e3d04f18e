import type { Clock, CredentialStore, DirectoryStore, Entropy, Person } from '@countersign/core/ports';
import { addSeconds, base64url } from '@countersign/core/request';
import { hashOf } from './secret-token.js';
import { openSession, type SessionWorld } from './sessions.js';

/** How long a sign-in link can be spent, in seconds. */
export const LINK_SECONDS = 600;

/**
 * Makes a single-use link that signs a person in. The token stands in the fragment, which browsers send to nobody, and is
 * spent by a POST, so that a mail scanner that opens the link spends nothing. Whoever prints it must not log it.
 */
export async function makeSignInLink(
  world: { credentials: Pick<CredentialStore, 'insertSignInLink'>; clock: Clock; entropy: Entropy; publicUrl: string },
  who: { tenant: string; person_id: string },
): Promise<string> {
  const token = base64url(world.entropy.bytes(32));
  await world.credentials.insertSignInLink({ hash: hashOf(token), ...who, expires_at: addSeconds(world.clock.now(), LINK_SECONDS) });
  return `${world.publicUrl}/sign-in#${token}`;
}

export type SpentLink =
  | { kind: 'signed_in'; person: Person; tenant: string; /** For the cookie. */ value: string; expires_at: string }
  /** Spent before, over, or never made. */
  | { kind: 'invalid' }
  | { kind: 'inactive' };

/** Spends a link and opens a session for its person, whose row is read now. */
export async function spendSignInLink(
  world: SessionWorld & { credentials: Pick<CredentialStore, 'spendSignInLink'>; directory: Pick<DirectoryStore, 'person'>; issuer: string },
  token: string,
  userAgent: string | null = null,
): Promise<SpentLink> {
  if (!TOKEN.test(token)) return { kind: 'invalid' };
  const spent = await world.credentials.spendSignInLink(hashOf(token));
  if (spent === null) return { kind: 'invalid' };
  const person = await world.directory.person(spent.tenant, spent.person_id);
  if (person === null || !person.active) return { kind: 'inactive' };
  const { value, record } = await openSession(world, {
    ...spent,
    issuer: world.issuer,
    method: 'sign_in_link',
    // Whoever can make such a link has the installation or its terminal: spending it is the proof.
    auth_time: world.clock.now(),
    amr: ['link'],
    user_agent: userAgent,
  });
  return { kind: 'signed_in', person, tenant: spent.tenant, value, expires_at: record.expires_at };
}

const TOKEN = /^[A-Za-z0-9_-]{43}$/;
