import { sha256 } from '@noble/hashes/sha2.js';

/** The bytes of a hash in the tree: SHA-256. */
export const HASH_BYTES = 32;

/** SHA-256(0x00 ‖ entry): the hash of an entry (RFC 6962, section 2.1). The prefix keeps an entry from posing as a node. */
export function leafHash(entry: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + entry.length);
  input.set(entry, 1);
  return sha256(input);
}

/** SHA-256(0x01 ‖ left ‖ right): the hash of an inner node (RFC 6962, section 2.1). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + 2 * HASH_BYTES);
  input[0] = 0x01;
  input.set(left, 1);
  input.set(right, 1 + HASH_BYTES);
  return sha256(input);
}

/** The root of a tree without leaves: SHA-256 of nothing (RFC 6962, section 2.1). */
export function emptyRoot(): Uint8Array {
  return sha256(new Uint8Array(0));
}

/** Whether two byte strings are equal. Not constant in time: hashes of a published log are no secrets. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
