import { createSecretKey, type KeyObject } from 'node:crypto';
import { decrypt, encrypt } from './aes-gcm.js';
import { KeysError } from './errors.js';
import type { KeyWrapper } from './key-wrapper.js';

/** The bytes of a master key. */
export const MASTER_KEY_BYTES = 32;

/**
 * The master keys of an installation: the first wraps, all unwrap. Holds them as key objects, which neither logs nor JSON show.
 * Rotation: put a new key first, re-wrap what is sealed (`EnvelopeSealer.rewrap`), take the old key out.
 */
export class MasterKeyring implements KeyWrapper {
  readonly activeKid: string;
  readonly #active: KeyObject;
  readonly #keys: ReadonlyMap<string, KeyObject>;

  constructor(keys: ReadonlyMap<string, KeyObject>) {
    const [first] = keys;
    if (first === undefined) throw new KeysError('invalid_master_key', 'The master keyring has no key.');
    [this.activeKid, this.#active] = first;
    this.#keys = new Map(keys);
  }

  /** The names of the keys, the active one first. */
  get kids(): string[] {
    return [...this.#keys.keys()];
  }

  async wrap(dataKey: Uint8Array, context: string): Promise<Uint8Array> {
    return encrypt(this.#active, dataKey, context);
  }

  async unwrap(kid: string, wrapped: Uint8Array, context: string): Promise<Uint8Array> {
    const key = this.#keys.get(kid);
    // The name comes from stored bytes: it is shown quoted, and it is no secret.
    if (key === undefined) throw new KeysError('unknown_master_key', `The master keyring has no key ${JSON.stringify(kid)}, under which this was sealed.`);
    return decrypt(key, wrapped, context);
  }
}

/**
 * Reads the text form `kid:base64,kid2:base64`: 32 bytes each, base64 with padding; the first key is active. Space around entries is allowed.
 * Names are 1 to 64 letters, digits, `-` and `_`.
 * @throws KeysError `invalid_master_key`; its message counts entries and never repeats any part of the text, as a key may stand anywhere in it.
 */
export function parseMasterKeyring(text: string): MasterKeyring {
  const keys = new Map<string, KeyObject>();
  const materials = new Set<string>();
  for (const [at, entry] of text.split(',').entries()) {
    const place = `Master key number ${at + 1}`;
    const [, kid, encoded] = /^([A-Za-z0-9_-]{1,64}):([A-Za-z0-9+/]{43}=)$/.exec(entry.trim()) ?? [];
    if (kid === undefined || encoded === undefined) {
      throw new KeysError('invalid_master_key', `${place} is not written kid:base64 with 32 bytes. Make one with: echo "k1:$(openssl rand -base64 32)"`);
    }
    const material = Buffer.from(encoded, 'base64');
    if (material.length !== MASTER_KEY_BYTES || material.toString('base64') !== encoded)
      throw new KeysError('invalid_master_key', `${place} is not canonical base64 of 32 bytes.`);
    if (material.every((byte) => byte === material[0])) throw new KeysError('invalid_master_key', `${place} is one byte repeated: it is not random.`);
    if (keys.has(kid) || materials.has(encoded)) throw new KeysError('invalid_master_key', `${place} repeats the name or the bytes of an earlier one.`);
    materials.add(encoded);
    keys.set(kid, createSecretKey(material));
  }
  return new MasterKeyring(keys);
}
