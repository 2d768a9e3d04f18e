import { sha256 } from '@noble/hashes/sha2.js';
import type { Entropy } from '../ports.js';
import { utf8 } from '../request/bytes.js';

/** How long the link that a bot gives to an account works, in seconds. */
export const CHAT_LINK_SECONDS = 600;

/** What is stored of a link's token. */
export function linkTokenHash(token: string): Uint8Array {
  return sha256(utf8(token));
}

/** Letters that nobody mistakes for each other (Crockford's base 32). */
const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A code that a bot sends to an account, `K7QF-2MXD`: 40 bits, of which five may be tried. */
export function newLinkCode(entropy: Entropy): string {
  const letters = [...entropy.bytes(8)].map((byte) => LETTERS.charAt(byte % LETTERS.length)).join('');
  return `${letters.slice(0, 4)}-${letters.slice(4)}`;
}

/** What is stored of a code, however it was typed. */
export function linkCodeHash(code: string): Uint8Array {
  const typed = code
    .toUpperCase()
    .replaceAll(/[^0-9A-Z]/g, '')
    .replaceAll('O', '0')
    .replaceAll(/[IL]/g, '1');
  return sha256(utf8(`countersign/link-code\0${typed}`));
}
