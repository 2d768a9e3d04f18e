import type { GrantClaims } from '@countersign/contracts';
import type { Sealer, SigningKeyStore } from '@countersign/core/ports';
import { formatInstant } from '@countersign/core/request';
import { EnvelopeSealer, grantVerifier, Keyring, KeysError, type KeyWrapper } from '@countersign/keys';
import type { Finding } from '../audit/finding.js';

/** What the master key opens of a database; without it all is null. */
export interface OpenedKeys {
  keyring: Keyring | null;
  sealer: Sealer | null;
  verifyGrant: ((token: string) => Promise<GrantClaims | null>) | null;
  findings: Finding[];
  /** Why nothing opens. */
  why_not: string;
}

/**
 * Opens every signing key of a database: only those are of this installation. Makes none, unlike the service.
 * A key that does not open was altered, or the master key is of another installation.
 */
export async function openedKeys(stored: Pick<SigningKeyStore, 'list'>, master: KeyWrapper | null): Promise<OpenedKeys> {
  const nothing = { keyring: null, sealer: null, verifyGrant: null };
  if (master === null) return { ...nothing, findings: [], why_not: 'There is no master key in the home or in COUNTERSIGN_MASTER_KEY.' };
  const sealer = new EnvelopeSealer(master);
  try {
    const keyring = await Keyring.open({
      store: { list: () => stored.list(), insert: () => Promise.resolve(), rotate: () => Promise.resolve({ changed: false }) },
      sealer,
      clock: { now: () => formatInstant(Date.now()) },
    });
    return { keyring, sealer, verifyGrant: grantVerifier(keyring), findings: [], why_not: '' };
  } catch (error) {
    if (!(error instanceof KeysError)) throw error;
    const finding = {
      table: 'signing_keys',
      row: 'of this installation',
      column: 'sealed_private_key',
      problem: `do not open with the master key: ${error.message}`,
    };
    return { ...nothing, findings: [finding], why_not: 'The master key does not open the signing keys.' };
  }
}
