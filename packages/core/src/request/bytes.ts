import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { CoreError } from '../errors.js';

/**
 * The UTF-8 bytes of well-formed text.
 * @throws CoreError `invalid_encoding` for a lone surrogate: encoders would write U+FFFD, and two texts would share their bytes.
 */
export function utf8(text: string): Uint8Array {
  if (hasLoneSurrogate(text)) throw new CoreError('invalid_encoding', 'text has a lone surrogate');
  return utf8ToBytes(text);
}

/**
 * The text of UTF-8 bytes; a byte order mark stays in it.
 * @throws CoreError `invalid_encoding` where the bytes are not UTF-8.
 */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch (cause) {
    throw new CoreError('invalid_encoding', 'bytes are not UTF-8', { cause });
  }
}

/** Made once, as making one costs more than decoding does; it keeps nothing between calls. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Whether UTF-16 text has a surrogate without its partner, which no UTF-8 can carry. */
export function hasLoneSurrogate(text: string): boolean {
  // Most texts have no surrogate at all, which is seen sooner.
  return SURROGATE.test(text) && LONE_SURROGATE.test(text);
}

const SURROGATE = /[\ud800-\udfff]/;

/** Matches lone surrogates only: with the `u` flag a pair is one code point and is not of category Cs. */
export const LONE_SURROGATE = /\p{Cs}/u;

/** Lower-case hexadecimal. */
export function hex(bytes: Uint8Array): string {
  return bytesToHex(bytes);
}

/**
 * The bytes of hexadecimal text of either case.
 * @throws CoreError `invalid_encoding`
 */
export function fromHex(text: string): Uint8Array {
  try {
    return hexToBytes(text);
  } catch (cause) {
    throw new CoreError('invalid_encoding', 'text is not hexadecimal', { cause });
  }
}

/** Base64 with padding (RFC 4648, section 4). */
export function base64(bytes: Uint8Array): string {
  let binary = '';
  for (let start = 0; start < bytes.length; start += 8192) binary += String.fromCharCode(...bytes.subarray(start, start + 8192));
  return btoa(binary);
}

/**
 * The bytes of base64 with padding, in its one canonical spelling: no spaces, no stray bits in the last letter (RFC 4648, section 3.5).
 * @throws CoreError `invalid_encoding`
 */
export function fromBase64(text: string): Uint8Array {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw new CoreError('invalid_encoding', 'text is not base64');
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  if (base64(bytes) !== text) throw new CoreError('invalid_encoding', 'text is not canonical base64');
  return bytes;
}

/** Base64url without padding (RFC 4648, section 5; RFC 7515, section 2). */
export function base64url(bytes: Uint8Array): string {
  return base64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/**
 * The bytes of base64url without padding, in its one canonical spelling.
 * @throws CoreError `invalid_encoding`
 */
export function fromBase64url(text: string): Uint8Array {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) throw new CoreError('invalid_encoding', 'text is not base64url');
  return fromBase64(text.replaceAll('-', '+').replaceAll('_', '/') + '='.repeat((4 - (text.length % 4)) % 4));
}
