import type { SealContext, Sealer } from '@countersign/core/ports';
import { createSecretKey, hkdfSync, randomBytes, type KeyObject } from 'node:crypto';
import { decrypt, encrypt } from './aes-gcm.js';
import { KeysError } from './errors.js';
import type { KeyWrapper } from './key-wrapper.js';

/** First byte of what `seal` makes: a data key of its own, wrapped. */
const ENVELOPED = 1;
/** First byte of what `sealUnder` makes: a key that the caller holds. */
const UNDER = 2;
const KEY_BYTES = 32;

/**
 * Encrypts what is stored. Each secret has a data key of its own, wrapped under the master key; both encryptions are AES-256-GCM and
 * authenticate the secret's place, so that it opens in its own row and column only.
 *
 *     0x01 ‖ length of kid (1 byte) ‖ kid ‖ length of wrapped key (uint16, big-endian) ‖ wrapped key ‖ IV (12) ‖ ciphertext ‖ tag (16)
 *
 * The wrapped key authenticates the JSON array [1, tenant, table, row, column, kid], the ciphertext [1, tenant, table, row, column]:
 * without the kid, so that a rotation re-wraps the data key and leaves the ciphertext alone.
 *
 * Under a record's own key: 0x02 ‖ IV ‖ ciphertext ‖ tag, authenticating [2, tenant, table, row, column], with the AES key
 * HKDF-SHA256(key, no salt, "countersign/seal-under/v1"): the record's key itself makes the ledger's commitments.
 */
export class EnvelopeSealer implements Sealer {
  constructor(private readonly wrapper: KeyWrapper) {}

  /** The master key that seals from now on. */
  get activeKid(): string {
    return this.wrapper.activeKid;
  }

  async seal(context: SealContext, plaintext: Uint8Array): Promise<Uint8Array> {
    const dataKey = randomBytes(KEY_BYTES);
    const ciphertext = encrypt(createSecretKey(dataKey), plaintext, place(ENVELOPED, context));
    return this.#envelope(context, dataKey, ciphertext);
  }

  /** @throws KeysError `not_opened` for altered bytes or another place, `unknown_master_key` when its master key is gone. */
  async open(context: SealContext, sealed: Uint8Array): Promise<Uint8Array> {
    const { kid, wrapped, ciphertext } = parse(sealed);
    const dataKey = await this.wrapper.unwrap(kid, wrapped, place(ENVELOPED, context, kid));
    return plain(decrypt(createSecretKey(dataKey), ciphertext, place(ENVELOPED, context)));
  }

  /** Seals under a key of 32 bytes that the caller holds, so that erasing that key erases all that it sealed. */
  sealUnder(key: Uint8Array, context: SealContext, plaintext: Uint8Array): Uint8Array {
    return plain(Buffer.concat([Buffer.of(UNDER), encrypt(derived(key), plaintext, place(UNDER, context))]));
  }

  /** @throws KeysError `not_opened` */
  openUnder(key: Uint8Array, context: SealContext, sealed: Uint8Array): Uint8Array {
    if (sealed[0] !== UNDER) throw new KeysError('not_opened', 'these bytes are not sealed under a record key');
    return plain(decrypt(derived(key), sealed.subarray(1), place(UNDER, context)));
  }

  /** The same secret under the active master key; the very same bytes where it is under it already. Nothing of the secret itself is decrypted. */
  async rewrap(context: SealContext, sealed: Uint8Array): Promise<Uint8Array> {
    const { kid, wrapped, ciphertext } = parse(sealed);
    if (kid === this.wrapper.activeKid) return sealed;
    return this.#envelope(context, await this.wrapper.unwrap(kid, wrapped, place(ENVELOPED, context, kid)), ciphertext);
  }

  async #envelope(context: SealContext, dataKey: Uint8Array, ciphertext: Uint8Array): Promise<Uint8Array> {
    const kid = this.wrapper.activeKid;
    const name = Buffer.from(kid, 'utf8');
    const wrapped = await this.wrapper.wrap(dataKey, place(ENVELOPED, context, kid));
    dataKey.fill(0);
    if (name.length === 0 || name.length > 0xff || wrapped.length > 0xffff)
      throw new KeysError('invalid_key', 'the key wrapper has a name or a wrapped key that is too long');
    const header = Buffer.from([ENVELOPED, name.length, ...name, wrapped.length >> 8, wrapped.length & 0xff]);
    return plain(Buffer.concat([header, wrapped, ciphertext]));
  }
}

/** The master key that sealed bytes need: what a rotation looks for. @throws KeysError `not_opened` */
export function sealedUnderKid(sealed: Uint8Array): string {
  return parse(sealed).kid;
}

function parse(sealed: Uint8Array): { kid: string; wrapped: Uint8Array; ciphertext: Uint8Array } {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  const nameEnd = 2 + (bytes[1] ?? 0);
  if (bytes[0] !== ENVELOPED || bytes.length < nameEnd + 2) throw new KeysError('not_opened', 'these bytes are not sealed');
  const wrappedEnd = nameEnd + 2 + bytes.readUInt16BE(nameEnd);
  if (bytes.length < wrappedEnd) throw new KeysError('not_opened', 'the sealed bytes are cut');
  return { kid: bytes.toString('utf8', 2, nameEnd), wrapped: bytes.subarray(nameEnd + 2, wrappedEnd), ciphertext: bytes.subarray(wrappedEnd) };
}

/** What is authenticated: JSON text, in which no two places look alike. */
function place(version: number, { tenant, table, row, column }: SealContext, ...kid: [kid: string] | []): string {
  return JSON.stringify([version, tenant, table, row, column, ...kid]);
}

function derived(key: Uint8Array): KeyObject {
  if (key.length !== KEY_BYTES) throw new KeysError('invalid_key', `a record key has ${KEY_BYTES} bytes`);
  return createSecretKey(new Uint8Array(hkdfSync('sha256', key, new Uint8Array(0), 'countersign/seal-under/v1', KEY_BYTES)));
}

/** Bytes of their own: Buffers can be windows on memory that others share. */
function plain(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes);
}
