import { createHash, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Entropy } from '@countersign/core/ports';

/** Kinds of tokens that we hand out once and keep only as a hash. */
export type TokenKind = 'key' | 'pat' | 'run' | 'scim';

/** A token `cs_<kind>_<8 letters>_<32 letters>_<6 letters>`: a public id, about 190 secret bits, a checksum. Letters are base62. */
export interface SecretToken {
  kind: TokenKind;
  /** The whole token; shown once. */
  text: string;
  /** What may be shown of it later: everything before the secret part. */
  prefix: string;
  /** SHA-256 of the whole token: what is stored. */
  hash: Uint8Array;
}

/** Makes a token of that kind. */
export function makeToken(kind: TokenKind, entropy: Entropy): SecretToken {
  const prefix = `cs_${kind}_${randomLetters(8, entropy)}`;
  const body = `${prefix}_${randomLetters(32, entropy)}`;
  const text = `${body}_${checksum(body)}`;
  return { kind, text, prefix, hash: hashOf(text) };
}

/**
 * Reads a token of that kind; null where it is none. The checksum comes before any look-up, so that a typing error or a
 * scanner's guess costs no query. It is no secret and no protection: the hash is.
 */
export function parseToken(kind: TokenKind, text: string): SecretToken | null {
  const [, body = '', prefix = '', found, sum] = TOKEN.exec(text) ?? [];
  if (found !== kind) return null;
  return checksum(body) === sum ? { kind, text, prefix, hash: hashOf(text) } : null;
}

/** SHA-256. Tokens have enough entropy that a slow hash would protect nothing more. */
export function hashOf(text: string): Uint8Array {
  return createHash('sha256').update(text, 'utf8').digest();
}

/** Whether two hashes are equal, in a time that does not tell where they differ. */
export function sameHash(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

const LETTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const TOKEN = /^((cs_(key|pat|run|scim)_[0-9A-Za-z]{8})_[0-9A-Za-z]{32})_([0-9A-Za-z]{6})$/;

/** Evenly distributed: bytes from 248 on are thrown away, since 248 is the largest multiple of 62 in a byte. */
function randomLetters(count: number, entropy: Entropy): string {
  let letters = '';
  while (letters.length < count) {
    for (const byte of entropy.bytes(count * 2)) {
      if (byte < 248 && letters.length < count) letters += LETTERS.charAt(byte % 62);
    }
  }
  return letters;
}

/** CRC-32 in six base62 letters, the form that secret scanners check (GitHub's token format). */
function checksum(body: string): string {
  let rest = crc32(body);
  let letters = '';
  for (let index = 0; index < 6; index++) {
    letters = LETTERS.charAt(rest % 62) + letters;
    rest = Math.floor(rest / 62);
  }
  return letters;
}
