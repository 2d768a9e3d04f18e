import { KeysError } from '../errors.js';
import type { KeyWrapper } from '../key-wrapper.js';
import { parseMasterKeyring } from '../master-keyring.js';
import { awsKms } from './aws-kms.js';
import { gcpKms } from './gcp-kms.js';
import type { KmsEnvironment } from './kms.js';
import { KmsWrapper, type KmsWrapperOptions } from './kms-wrapper.js';
import { vaultTransit } from './vault-transit.js';

const KINDS = { 'aws-kms': awsKms, 'gcp-kms': gcpKms, vault: vaultTransit } as const;

/** The master keys of an installation, in this process or in a KMS. */
export interface MasterKeys extends KeyWrapper {
  /** Whether a KMS has the active key: then health depends on it. */
  readonly kms: boolean;
  /** Asks every KMS whether it answers; no effect for keys that are here. @throws KeysError `kms_unavailable`, `kms_refused` */
  check(): Promise<void>;
}

/**
 * Reads COUNTERSIGN_MASTER_KEY: keys with commas, the first seals, all open. A key is `kid:base64`, `aws-kms:ARN`, `gcp-kms:NAME` or
 * `vault:MOUNT/KEY`; so an installation moves to a KMS, or from one to another, by putting the new key first and wrapping anew.
 * @throws KeysError `invalid_master_key`; its message never repeats a key
 */
export function parseMasterKeys(text: string, environment: KmsEnvironment, options: KmsWrapperOptions = {}): MasterKeys {
  const entries = text.split(',').map((entry) => entry.trim());
  const local = entries.filter((entry) => kindOf(entry) === null);
  const keyring = local.length === 0 ? null : parseMasterKeyring(local.join(','));
  const remote = entries.flatMap((entry) => {
    const kind = kindOf(entry);
    return kind === null ? [] : [new KmsWrapper(KINDS[kind](entry.slice(kind.length + 1), environment), options)];
  });
  if (new Set(remote.map(({ activeKid }) => activeKid)).size !== remote.length)
    throw new KeysError('invalid_master_key', 'The same key of a KMS is named twice.');
  const [first = ''] = entries;
  const active: KeyWrapper | null | undefined = kindOf(first) === null ? keyring : remote[0];
  if (active == null) throw new KeysError('invalid_master_key', 'The master keyring has no key.');
  const byKid = new Map<string, KeyWrapper>(remote.map((wrapper) => [wrapper.activeKid, wrapper]));
  return {
    activeKid: active.activeKid,
    kms: active !== keyring,
    wrap: (dataKey, context) => active.wrap(dataKey, context),
    async unwrap(kid, wrapped, context) {
      const wrapper = byKid.get(kid) ?? keyring;
      if (wrapper === null) throw new KeysError('unknown_master_key', `COUNTERSIGN_MASTER_KEY has no key ${JSON.stringify(kid)}, under which this was sealed.`);
      return wrapper.unwrap(kid, wrapped, context);
    },
    async check() {
      for (const wrapper of remote) await wrapper.check();
    },
  };
}

/** Base64 of 32 bytes ends in =, and no name of a key in a KMS does: a key here may be called vault. */
function kindOf(entry: string): keyof typeof KINDS | null {
  if (entry.endsWith('=')) return null;
  return (['aws-kms', 'gcp-kms', 'vault'] as const).find((kind) => entry.startsWith(`${kind}:`)) ?? null;
}
