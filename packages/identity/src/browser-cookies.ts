/* Cookies that only this host can set and that scripts cannot read. `__Host-` needs https (RFC 6265bis, section 4.1.3.2). */

/** The name as it is sent: with `__Host-` on https. */
export function cookieName(publicUrl: string, name: string): string {
  return isSecure(publicUrl) ? `__Host-${name}` : name;
}

/** The Set-Cookie value; `maxAge` in seconds, 0 to forget. */
export function setCookie(publicUrl: string, name: string, value: string, maxAge: number): string {
  const attributes = ['Path=/', 'HttpOnly', 'SameSite=Lax', `Max-Age=${maxAge}`, ...(isSecure(publicUrl) ? ['Secure'] : [])];
  return [`${cookieName(publicUrl, name)}=${value}`, ...attributes].join('; ');
}

/** A value of 32 bytes from a Cookie header; null when there is none, or two that differ: one of them somebody else has set. */
export function readCookie(publicUrl: string, name: string, header: string | undefined): string | null {
  const wanted = cookieName(publicUrl, name);
  const values = new Set<string>();
  for (const part of (header ?? '').split(';')) {
    const at = part.indexOf('=');
    if (at >= 0 && part.slice(0, at).trim() === wanted) values.add(part.slice(at + 1).trim());
  }
  const [value] = values;
  return values.size === 1 && value !== undefined && VALUE.test(value) ? value : null;
}

/**
 * What a browser keeps of one sign-in under way. Each has its own name, so that two tabs do not undo each other; a state that is none of
 * ours names no cookie.
 */
export function signInCookieName(state: string): string | null {
  return VALUE.test(state) ? `cs-in-${state.slice(0, 12)}` : null;
}

const VALUE = /^[A-Za-z0-9_-]{43}$/;

const isSecure = (publicUrl: string): boolean => publicUrl.startsWith('https:');
