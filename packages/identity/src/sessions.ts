import type { Clock, CredentialStore, Entropy, SessionRecord } from '@countersign/core/ports';
import { addSeconds, base64url } from '@countersign/core/request';
import { hashOf } from './secret-token.js';

/** How long a session lasts, in seconds: 12 hours, whatever is done in it. */
export const SESSION_SECONDS = 12 * 3600;

export interface SessionWorld {
  credentials: Pick<CredentialStore, 'insertSession' | 'endSession'>;
  clock: Clock;
  entropy: Entropy;
}

/** Opens a session for a person who has just proved who they are. The value goes into the cookie and nowhere else. */
export async function openSession(
  world: SessionWorld,
  who: { tenant: string; person_id: string; issuer: string; method: string },
): Promise<{ value: string; record: SessionRecord }> {
  const value = base64url(world.entropy.bytes(32));
  const now = world.clock.now();
  const record: SessionRecord = { hash: hashOf(value), ...who, created_at: now, expires_at: addSeconds(now, SESSION_SECONDS) };
  await world.credentials.insertSession(record);
  return { value, record };
}

/** Ends the session of a cookie's value; no effect when there is none. */
export async function endSession(world: Pick<SessionWorld, 'credentials'>, value: string): Promise<void> {
  await world.credentials.endSession(hashOf(value));
}

/**
 * The cookie's name. `__Host-` makes browsers demand Secure, Path=/ and no Domain (RFC 6265bis, section 4.1.3.2); it
 * needs https, so a service on http, which is one on loopback, uses the plain name.
 */
export function sessionCookieName(publicUrl: string): string {
  return isSecure(publicUrl) ? '__Host-cs' : 'cs';
}

/** The Set-Cookie value that keeps a session. */
export function sessionCookie(publicUrl: string, value: string): string {
  return cookie(publicUrl, value, SESSION_SECONDS);
}

/** The Set-Cookie value that makes the browser forget. */
export function endedSessionCookie(publicUrl: string): string {
  return cookie(publicUrl, '', 0);
}

/** The session's value in a Cookie header; null when there is none, or two that differ: one of them somebody else has set. */
export function readSessionCookie(publicUrl: string, header: string | undefined): string | null {
  const name = sessionCookieName(publicUrl);
  const values = new Set<string>();
  for (const part of (header ?? '').split(';')) {
    const at = part.indexOf('=');
    if (at >= 0 && part.slice(0, at).trim() === name) values.add(part.slice(at + 1).trim());
  }
  const [value] = values;
  return values.size === 1 && value !== undefined && VALUE.test(value) ? value : null;
}

const VALUE = /^[A-Za-z0-9_-]{43}$/;

const isSecure = (publicUrl: string): boolean => publicUrl.startsWith('https:');

function cookie(publicUrl: string, value: string, maxAge: number): string {
  const attributes = ['Path=/', 'HttpOnly', 'SameSite=Lax', `Max-Age=${maxAge}`, ...(isSecure(publicUrl) ? ['Secure'] : [])];
  return [`${sessionCookieName(publicUrl)}=${value}`, ...attributes].join('; ');
}
