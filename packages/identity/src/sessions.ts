import type { Clock, CredentialStore, Entropy, SessionRecord } from '@countersign/core/ports';
import { addSeconds, base64url, epochMs, type Instant, newId } from '@countersign/core/request';
import { cookieName, readCookie, setCookie } from './browser-cookies.js';
import { hashOf } from './secret-token.js';

/** How long a session lasts at most, in seconds: 24 hours, whatever is done in it. */
export const SESSION_SECONDS = 24 * 3600;
/** After so long without a call it is over, in seconds: 12 hours. */
export const IDLE_SECONDS = 12 * 3600;
/** How far behind `last_used_at` may be, in seconds. */
export const TOUCH_SECONDS = 60;
/** How long ago somebody may have proved who they are for what asks for it anew, in seconds: 5 minutes. */
export const FRESH_SECONDS = 300;

export interface SessionWorld {
  credentials: Pick<CredentialStore, 'insertSession' | 'endSession'>;
  clock: Clock;
  entropy: Entropy;
}

/** Who has just proved who they are, and how. */
export type Proof = Pick<SessionRecord, 'tenant' | 'person_id' | 'issuer' | 'method' | 'auth_time'> &
  Partial<Pick<SessionRecord, 'subject' | 'provider_sid' | 'acr' | 'amr' | 'user_agent'>>;

/** A new session, not stored yet. The value goes into the cookie and nowhere else. */
export function makeSession(world: Pick<SessionWorld, 'clock' | 'entropy'>, proof: Proof): { value: string; record: SessionRecord } {
  const value = base64url(world.entropy.bytes(32));
  const now = world.clock.now();
  const record: SessionRecord = {
    subject: null,
    provider_sid: null,
    acr: null,
    amr: [],
    user_agent: null,
    ...proof,
    hash: hashOf(value),
    id: newId('ses', now, world.entropy.bytes(10)),
    created_at: now,
    last_used_at: now,
    expires_at: addSeconds(now, SESSION_SECONDS),
    sealed_hint: null,
  };
  return { value, record };
}

/** Opens a session for a person who has just proved who they are. */
export async function openSession(world: SessionWorld, proof: Proof): Promise<{ value: string; record: SessionRecord }> {
  const made = makeSession(world, proof);
  await world.credentials.insertSession(made.record);
  return made;
}

/** Whether the session counts now: within its day, and used within the last twelve hours. */
export function isSessionLive(session: Pick<SessionRecord, 'expires_at' | 'last_used_at'>, now: Instant): boolean {
  return session.expires_at > now && Date.parse(session.last_used_at) + IDLE_SECONDS * 1000 > epochMs(now);
}

/** Whether the person proved who they are within the last `seconds`; where nobody said when, it is not fresh. */
export function isFresh(authTime: string | null, now: Instant, seconds: number = FRESH_SECONDS): boolean {
  return authTime !== null && epochMs(now) - Date.parse(authTime) <= seconds * 1000;
}

/** Ends the session of a cookie's value; no effect when there is none. */
export async function endSession(world: Pick<SessionWorld, 'credentials'>, value: string): Promise<void> {
  await world.credentials.endSession(hashOf(value));
}

/** The cookie's name: `__Host-cs`, and on http, which is a service on loopback, the plain one. */
export function sessionCookieName(publicUrl: string): string {
  return cookieName(publicUrl, NAME);
}

/** The Set-Cookie value that keeps a session. */
export function sessionCookie(publicUrl: string, value: string): string {
  return setCookie(publicUrl, NAME, value, SESSION_SECONDS);
}

/** The Set-Cookie value that makes the browser forget. */
export function endedSessionCookie(publicUrl: string): string {
  return setCookie(publicUrl, NAME, '', 0);
}

/** The session's value in a Cookie header; null when there is none, or two that differ: one of them somebody else has set. */
export function readSessionCookie(publicUrl: string, header: string | undefined): string | null {
  return readCookie(publicUrl, NAME, header);
}

const NAME = 'cs';
