import { createHash, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { decrypt, encrypt } from '../aes-gcm.js';
import { KeysError } from '../errors.js';
import type { KeyWrapper } from '../key-wrapper.js';
import type { Kms } from './kms.js';

export interface KmsWrapperOptions {
  /** How long a key from the KMS is kept in memory, in milliseconds; five minutes unless told. So long a KMS that is gone is not missed, and a key that was disabled there still opens. */
  keptMs?: number;
  /** How many of them are kept; 1000 unless told. */
  kept?: number;
  /** Milliseconds of a clock that only goes forward. */
  now?: () => number;
}

interface WrappingKey {
  key: KeyObject;
  encrypted: Buffer;
  until: number;
  wraps: number;
}

const VERSION = 1;
const KEY_BYTES = 32;
/** So many data keys are wrapped under one key at most: far from where random IVs of AES-GCM could meet (NIST SP 800-38D, section 8.3). */
const MAX_WRAPS = 1_000_000;
/** What the KMS authenticates. Which row a data key belongs to is authenticated by the layer under it. */
const CONTEXT = 'countersign/key-encryption-key/v1';

/**
 * Data keys under a key that never leaves the KMS. A key-encryption key of this process, which the KMS encrypts once, wraps data keys for some
 * minutes: a call to the KMS for each secret would be slow and dear. Stored:
 *
 *     0x01 ‖ length (uint16, big-endian) ‖ key-encryption key as the KMS encrypted it ‖ IV ‖ data key ‖ tag
 */
export class KmsWrapper implements KeyWrapper {
  readonly #keptMs: number;
  readonly #most: number;
  readonly #now: () => number;
  readonly #open = new Map<string, { key: KeyObject; until: number }>();
  #current: WrappingKey | null = null;
  #making: Promise<WrappingKey> | null = null;

  constructor(
    private readonly kms: Kms,
    { keptMs = 300_000, kept = 1_000, now = () => performance.now() }: KmsWrapperOptions = {},
  ) {
    this.#keptMs = keptMs;
    this.#most = kept;
    this.#now = now;
  }

  get activeKid(): string {
    return this.kms.kid;
  }

  async wrap(dataKey: Uint8Array, context: string): Promise<Uint8Array> {
    const { key, encrypted } = await this.#wrapping();
    const head = Buffer.from([VERSION, encrypted.length >> 8, encrypted.length & 0xff]);
    return Buffer.concat([head, encrypted, encrypt(key, dataKey, context)]);
  }

  async unwrap(kid: string, wrapped: Uint8Array, context: string): Promise<Uint8Array> {
    if (kid !== this.kms.kid) throw new KeysError('unknown_master_key', `This was sealed under ${JSON.stringify(kid)}, not under the key of the KMS.`);
    const bytes = Buffer.from(wrapped.buffer, wrapped.byteOffset, wrapped.byteLength);
    const end = bytes.length < 3 ? 0 : 3 + bytes.readUInt16BE(1);
    if (bytes[0] !== VERSION || bytes.length < end) throw new KeysError('not_opened', 'the wrapped key is not one of a KMS');
    return decrypt(await this.#opened(bytes.subarray(3, end)), bytes.subarray(end), context);
  }

  /** Asks the KMS itself whether it encrypts and decrypts now. @throws KeysError as the KMS says */
  async check(): Promise<void> {
    const probe = randomBytes(KEY_BYTES);
    const back = await this.kms.decrypt(await this.kms.encrypt(probe, CONTEXT), CONTEXT);
    if (Buffer.compare(probe, back) !== 0) throw new KeysError('kms_refused', 'The KMS does not give back what it was given.');
  }

  async #wrapping(): Promise<WrappingKey> {
    const current = this.#current;
    if (current !== null && this.#now() < current.until && current.wraps < MAX_WRAPS) {
      current.wraps += 1;
      return current;
    }
    // Of many that need one at once, one asks.
    this.#making ??= this.#make().finally(() => (this.#making = null));
    return this.#making;
  }

  async #make(): Promise<WrappingKey> {
    const material = randomBytes(KEY_BYTES);
    const encrypted = Buffer.from(await this.kms.encrypt(material, CONTEXT));
    if (encrypted.length > 0xffff) throw new KeysError('kms_refused', 'The KMS gave too long an answer.');
    const key = createSecretKey(material);
    material.fill(0);
    this.#current = { key, encrypted, until: this.#now() + this.#keptMs, wraps: 1 };
    this.#keep(nameOf(encrypted), key);
    return this.#current;
  }

  async #opened(encrypted: Uint8Array): Promise<KeyObject> {
    const name = nameOf(encrypted);
    const kept = this.#open.get(name);
    if (kept !== undefined && this.#now() < kept.until) return kept.key;
    const material = Buffer.from(await this.kms.decrypt(encrypted, CONTEXT));
    if (material.length !== KEY_BYTES) throw new KeysError('not_opened', 'the KMS gave a key of another length');
    const key = createSecretKey(material);
    material.fill(0);
    this.#keep(name, key);
    return key;
  }

  /** The oldest goes where there are too many. */
  #keep(name: string, key: KeyObject): void {
    this.#open.delete(name);
    this.#open.set(name, { key, until: this.#now() + this.#keptMs });
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= this.#most) break;
      this.#open.delete(oldest);
    }
  }
}

const nameOf = (encrypted: Uint8Array): string => createHash('sha256').update(encrypted).digest('base64');
