import { isIP } from 'node:net';
import type { Config } from '@countersign/service';
import { type Check, ok, warn } from './check.js';

/**
 * Whether browsers let anybody use a passkey here: the service's address must be a name, and a secure context (WebAuthn level 3, section
 * 5.1.2; W3C Secure Contexts, section 3.1).
 */
export function passkeyCheck({ http }: Pick<Config, 'http'>): Check {
  const { protocol, hostname } = new URL(http.publicUrl);
  const name = 'passkeys';
  if (isIP(hostname.replace(/^\[(.*)\]$/, '$1')) !== 0)
    return warn(name, `${http.publicUrl} is an address, and passkeys belong to names`, 'Give the service a name, and set PUBLIC_URL to it.');
  if (protocol !== 'https:' && hostname !== 'localhost' && !hostname.endsWith('.localhost'))
    return warn(name, `${http.publicUrl} is not https, so browsers offer no passkeys there`, 'Serve it over https, and set PUBLIC_URL to that.');
  return ok(name, `belong to ${hostname}; when that name changes, everybody enrols anew`);
}
