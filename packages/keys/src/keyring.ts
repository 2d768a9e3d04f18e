import type { RotatedKey } from '@countersign/contracts';
import type { Clock, SealContext, Sealer, Signer, SigningKeyStore, SigningPurpose, StoredSigningKey } from '@countersign/core/ports';
import { ED25519_KEY_BYTES, generateSeed, publicJwk, signerOf, type Ed25519Jwk, type PublicSigningKey } from './ed25519.js';
import { KeysError } from './errors.js';
import { rotationLeaf } from './rotation-leaf.js';
import { signingPurposes } from './signing-purposes.js';

export interface KeyringDeps {
  store: SigningKeyStore;
  sealer: Sealer;
  clock: Clock;
}

/** How long a keyring believes itself where it is asked to look again if need be, in milliseconds. */
const STALE_AFTER_MS = 5_000;
/** Within that time so many keys that are not known make it look again: another process's new ones are few, a forger's are many. */
const MAX_LOOKS = 10;

/**
 * The signing keys of an installation: for each purpose one that signs, and every one that ever did. Of several that are not retired the
 * earliest signs (by created_at, then kid).
 *
 * `rotate` retires the one that signs and makes its successor. Other processes go on signing with the old key until their next refresh, and
 * what it signs verifies for ever: its public key stays published. Whether a retired key's grant still counts is `grantVerifier`'s to judge.
 */
export class Keyring {
  #keys: readonly LoadedKey[] = [];
  #loadedAt = -Infinity;
  #looks = { since: -Infinity, count: 0 };
  #loading: Promise<void> | null = null;

  private constructor(private readonly deps: KeyringDeps) {}

  /**
   * Loads the keys, and makes those that are missing. Opening every private key is the test that the master key is the right one.
   * @throws KeysError `unknown_master_key`, `not_opened`, `signing_key_unusable`: a service without its keys must not start.
   */
  static async open(deps: KeyringDeps): Promise<Keyring> {
    const keyring = new Keyring(deps);
    await keyring.refresh();
    return keyring;
  }

  /** The key that signs for a purpose now. Ask each time: a refresh may have changed it. */
  signer(purpose: SigningPurpose): Signer {
    const active = this.#keys.find((key) => key.purpose === purpose && key.retired_at === null);
    if (active === undefined) throw new KeysError('signing_key_unusable', `There is no key for ${purpose}.`);
    return active.signer;
  }

  /** All keys whose signatures count for a purpose, old ones too; the youngest stands last. */
  publicKeys(purpose: SigningPurpose): PublishedKey[] {
    return this.#keys.filter((key) => key.purpose === purpose).map(({ signer: { kid, publicKey }, retired_at }) => ({ kid, publicKey, retired_at }));
  }

  /** What `/.well-known/jwks.json` answers (RFC 7517): the keys of grants and callbacks. Checkpoints verify by `noteVerifierKey`, not by JWKS. */
  jwks(purpose: SigningPurpose = 'outcome'): { keys: Ed25519Jwk[] } {
    return { keys: this.publicKeys(purpose).map(({ publicKey }) => publicJwk(publicKey)) };
  }

  /** Loads the keys again, and makes what is missing. Calls that overlap share one load. */
  refresh(): Promise<void> {
    this.#loading ??= this.#load().finally(() => (this.#loading = null));
    return this.#loading;
  }

  /** Refreshes unless that happened within the last 5 seconds, or the milliseconds given. */
  async refreshIfStale(maxAgeMs = STALE_AFTER_MS): Promise<void> {
    if (this.#now() - this.#loadedAt >= maxAgeMs) await this.refresh();
  }

  /** For a kid that is not known: it may be another process's new key, which is looked up at once, or a forger's, who is not served without end. */
  async refreshForUnknownKey(): Promise<void> {
    const now = this.#now();
    if (now - this.#looks.since >= STALE_AFTER_MS) this.#looks = { since: now, count: 0 };
    if (this.#looks.count >= MAX_LOOKS) return;
    this.#looks.count += 1;
    await this.#loading;
    await this.refresh();
  }

  /**
   * Retires the key that signs for the purpose and makes its successor, in one atomic statement with the ledger's leaf (`key.rotated`).
   * Of rotations at once one happens, and all are told of it.
   * @param who in whose tenant's ledger it is recorded, and who did it by which road: a person's id, or an account of the machine
   */
  async rotate(purpose: SigningPurpose, who: { tenant: string; by: string; via: 'api' | 'cli' }): Promise<RotatedKey> {
    await this.#loading;
    await this.refresh();
    const retired = this.signer(purpose).kid;
    const successor = await this.#newKey(purpose);
    const leaf = await rotationLeaf(this.deps.sealer, { purpose, retired, active: successor.kid, at: successor.created_at, ...who });
    await this.deps.store.rotate({ retired, successor, tenant: who.tenant, leaf });
    await this.#loading;
    await this.refresh();
    return { purpose, retired, active: this.signer(purpose).kid };
  }

  #now(): number {
    return Date.parse(this.deps.clock.now());
  }

  async #load(): Promise<void> {
    let rows = await this.deps.store.list();
    const missing = signingPurposes.filter((purpose) => !rows.some((row) => row.purpose === purpose && row.retired_at === null));
    if (missing.length > 0) {
      for (const purpose of missing) await this.deps.store.insert(await this.#newKey(purpose));
      // Another process may have been first: what the store says counts, not what this one made.
      rows = await this.deps.store.list();
    }
    const known = new Map(this.#keys.map((key) => [key.signer.kid, key]));
    const keys: LoadedKey[] = [];
    for (const row of rows.toSorted(byAge)) {
      const purpose = signingPurposes.find((name) => name === row.purpose);
      // A purpose of a later version is not ours to judge.
      if (purpose !== undefined)
        keys.push({ purpose, retired_at: row.retired_at, signer: reusable(known.get(row.kid), purpose, row) ?? (await this.#open(purpose, row)) });
    }
    this.#keys = keys;
    this.#loadedAt = this.#now();
  }

  async #newKey(purpose: SigningPurpose): Promise<StoredSigningKey> {
    const seed = generateSeed();
    const { kid, publicKey } = signerOf(seed);
    const sealed = await this.deps.sealer.seal(placeOf(purpose, kid), seed);
    seed.fill(0);
    return { kid, purpose, algorithm: 'Ed25519', public_key: publicKey, sealed_private_key: sealed, created_at: this.deps.clock.now(), retired_at: null };
  }

  /**
   * Opens retired keys too: a public key counts only where its private key was sealed by us for that purpose. So who can write the
   * table, but has not the master key, can neither add a key that verifies nor let one purpose's key sign for another.
   */
  async #open(purpose: SigningPurpose, row: StoredSigningKey): Promise<Signer> {
    if (row.algorithm !== 'Ed25519') throw new KeysError('signing_key_unusable', `The signing key ${row.kid} is of another kind.`);
    const seed = await this.deps.sealer.open(placeOf(purpose, row.kid), row.sealed_private_key);
    if (seed.length !== ED25519_KEY_BYTES) throw new KeysError('signing_key_unusable', `The signing key ${row.kid} has another length.`);
    const signer = signerOf(seed);
    seed.fill(0);
    if (signer.kid !== row.kid || !isSame(signer.publicKey, row.public_key))
      throw new KeysError('signing_key_unusable', `The parts of the signing key ${row.kid} do not belong together.`);
    return signer;
  }
}

/** A public key with the instant from which on it signs no more; null for the one that signs. */
export interface PublishedKey extends PublicSigningKey {
  readonly retired_at: string | null;
}

interface LoadedKey {
  readonly purpose: SigningPurpose;
  readonly retired_at: string | null;
  readonly signer: Signer;
}

const placeOf = (purpose: SigningPurpose, kid: string): SealContext => ({
  tenant: '*',
  table: 'signing_keys',
  row: `${purpose}/${kid}`,
  column: 'sealed_private_key',
});

/** Instants with milliseconds sort as text. */
function byAge(a: StoredSigningKey, b: StoredSigningKey): number {
  const [one, two] = [`${a.created_at} ${a.kid}`, `${b.created_at} ${b.kid}`];
  return one < two ? -1 : one > two ? 1 : 0;
}

function reusable(known: LoadedKey | undefined, purpose: SigningPurpose, row: StoredSigningKey): Signer | undefined {
  return known?.purpose === purpose && isSame(known.signer.publicKey, row.public_key) ? known.signer : undefined;
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
