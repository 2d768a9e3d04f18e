import type { ApiKeyRecord, Clock, Entropy, KeyRights, SealContext, Sealer } from '@countersign/core/ports';
import { base64, fromUtf8, newId, utf8 } from '@countersign/core/request';
import type { Instant } from '@countersign/core/request';
import { makeToken, parseToken, type SecretToken } from './secret-token.js';

export interface NewApiKey {
  tenant: string;
  /** What people call it; shown on cards. */
  name: string;
  /** The id of the person who answers for it: nobody decides what a key of theirs asked. */
  owner: string;
  rights: KeyRights;
  expires_at?: string;
}

/** A key as it is shown once, and the record to store. */
export interface MadeApiKey {
  /** `cs_key_…` */
  key: string;
  /** `whsec_…`: signs the callbacks that name a bare URL. */
  webhook_secret: string;
  record: ApiKeyRecord;
}

/** Rights that name anything: what a quickstart's key has. */
export const ANY_RIGHTS: KeyRights = { actors: ['*'], actions: ['*'], environments: ['*'], callback_hosts: ['*'], redeem: true };

/** Makes an API key with its webhook secret. The key is kept as a hash, the secret sealed: it is needed again to sign. */
export async function makeApiKey(world: { clock: Clock; entropy: Entropy; sealer: Sealer }, wanted: NewApiKey): Promise<MadeApiKey> {
  const now = world.clock.now();
  const id = newId('key', now, world.entropy.bytes(10));
  const token = makeToken('key', world.entropy);
  const webhook_secret = makeWebhookSecret(world.entropy);
  const record: ApiKeyRecord = {
    id,
    tenant: wanted.tenant,
    name: wanted.name,
    owner: wanted.owner,
    hash: token.hash,
    prefix: token.prefix,
    rights: wanted.rights,
    sealed_webhook_secret: await world.sealer.seal(secretContext(wanted.tenant, id), utf8(webhook_secret)),
    created_at: now,
    expires_at: wanted.expires_at ?? null,
    revoked_at: null,
  };
  return { key: token.text, webhook_secret, record };
}

/** Every `whsec_…` secret that callbacks of a key are signed with: during a rotation's overlap two, the newer one first. */
export async function openWebhookSecrets(
  sealer: Sealer,
  key: Pick<ApiKeyRecord, 'id' | 'tenant' | 'sealed_webhook_secret' | 'sealed_previous_webhook_secret'>,
): Promise<string[]> {
  const secrets = [key.sealed_webhook_secret, key.sealed_previous_webhook_secret].filter((sealed) => sealed != null);
  return Promise.all(secrets.map((sealed_webhook_secret) => openWebhookSecret(sealer, { ...key, sealed_webhook_secret })));
}

/** Reads an API key; null where it is none, its checksum included. */
export function parseApiKey(text: string): SecretToken | null {
  return parseToken('key', text);
}

/** Whether the key counts now. */
export function isKeyLive(key: Pick<ApiKeyRecord, 'revoked_at' | 'expires_at'>, now: Instant): boolean {
  return key.revoked_at === null && (key.expires_at === null || key.expires_at > now);
}

/** The `whsec_…` secret of a key, for whoever signs its callbacks. */
export async function openWebhookSecret(sealer: Sealer, key: Pick<ApiKeyRecord, 'id' | 'tenant' | 'sealed_webhook_secret'>): Promise<string> {
  return fromUtf8(await sealer.open(secretContext(key.tenant, key.id), key.sealed_webhook_secret));
}

/** `whsec_` and 32 random bytes in base64, as Standard Webhooks writes symmetric secrets. */
export function makeWebhookSecret(entropy: Entropy): string {
  return `whsec_${base64(entropy.bytes(32))}`;
}

/** Where a webhook secret is sealed. */
export const secretContext = (tenant: string, id: string): SealContext => ({ tenant, table: 'api_keys', row: id, column: 'sealed_webhook_secret' });
