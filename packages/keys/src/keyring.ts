import type { Clock, SealContext, Sealer, Signer, SigningKeyStore, SigningPurpose, StoredSigningKey } from '@countersign/core/ports';
import { ED25519_KEY_BYTES, generateSeed, publicJwk, signerOf, type Ed25519Jwk, type PublicSigningKey } from './ed25519.js';
import { KeysError } from './errors.js';
import { signingPurposes } from './signing-purposes.js';

export interface KeyringDeps {
  store: SigningKeyStore;
  sealer: Sealer;
  clock: Clock;
}

/** How long a keyring believes itself when it meets a key that it does not know, in milliseconds. */
const STALE_AFTER_MS = 5_000;

/**
 * The signing keys of an installation: for each purpose one that signs, and every one that ever did. Of several that are not retired the
 * earliest signs (by created_at, then kid). To rotate, retire the active key in the store: the next refresh anywhere makes its successor.
 */
export class Keyring {
  #keys: readonly LoadedKey[] = [];
  #loadedAt = -Infinity;
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
    const active = this.#keys.find((key) => key.purpose === purpose && !key.retired);
    if (active === undefined) throw new KeysError('signing_key_unusable', `There is no key for ${purpose}.`);
    return active.signer;
  }

  /** All keys whose signatures count for a purpose, old ones too. */
  publicKeys(purpose: SigningPurpose): PublicSigningKey[] {
    return this.#keys.filter((key) => key.purpose === purpose).map(({ signer: { kid, publicKey } }) => ({ kid, publicKey }));
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

  /** Refreshes unless that happened within the last 5 seconds: for a kid that may be another process's new key, or a forger's. */
  async refreshIfStale(): Promise<void> {
    if (Date.parse(this.deps.clock.now()) - this.#loadedAt >= STALE_AFTER_MS) await this.refresh();
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
        keys.push({ purpose, retired: row.retired_at !== null, signer: reusable(known.get(row.kid), purpose, row) ?? (await this.#open(purpose, row)) });
    }
    this.#keys = keys;
    this.#loadedAt = Date.parse(this.deps.clock.now());
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

interface LoadedKey {
  readonly purpose: SigningPurpose;
  readonly retired: boolean;
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
