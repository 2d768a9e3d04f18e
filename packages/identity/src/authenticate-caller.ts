import type { ApiKeyRecord, Caller, CallerStore, Clock, CredentialStore, WorkloadEvidence } from '@countersign/core/ports';
import type { Instant } from '@countersign/core/request';
import { isKeyLive, parseApiKey } from './api-keys.js';
import { inNetworks } from './caller-networks.js';
import { sameHash } from './secret-token.js';
import { parseWorkloadToken } from './workload/caller-token.js';
import type { WorkloadVerifier } from './workload/verify-workload-token.js';

export interface CallerWorld {
  credentials: Pick<CredentialStore, 'apiKeyByHash'>;
  clock: Clock;
  /** Who vouches for keys: the service's public address. */
  issuer: string;
  /** For callers without a secret of ours; absent: there are none. */
  callers?: Pick<CallerStore, 'workloadToken' | 'certificateCaller'>;
  workloads?: WorkloadVerifier;
}

/** A client certificate that TLS, or a proxy that is trusted, has verified. */
export interface ClientCertificate {
  /** Base64url of the SHA-256 of its DER (RFC 8705, section 3.1). */
  thumbprint: string;
  /** `DNS:…` and `URI:…`; none where its issuer is not TLS_CLIENT_CA. */
  san: string[];
}

export type CallerProof = { bearer: string } | { certificate: ClientCertificate };

export type CallerAuthentication =
  | { kind: 'caller'; caller: Caller; networks: readonly string[]; last_used_at: string | null }
  /** Not known, over, revoked, of an inactive owner, or not from there. */
  | { kind: 'refused'; detail: string }
  /** The issuer of the token cannot be asked for its keys now. */
  | { kind: 'try_later'; detail: string; retry_after_seconds: number };

/**
 * The caller of an API key, of a workload's token or of a client certificate. A caller can open, read and redeem; nothing that comes out of
 * here can decide.
 *
 * @param from the address that the request comes from; null where it is not known: a caller with an allow-list of networks is refused then
 */
export async function authenticateCaller(proof: CallerProof, world: CallerWorld, from: string | null): Promise<CallerAuthentication> {
  const found = 'certificate' in proof ? await byCertificate(proof.certificate, world) : await byBearer(proof.bearer, world);
  if (found === null) return refusedKey();
  if (!('key' in found)) return found;
  const { key, workload } = found;
  const now = world.clock.now();
  if (!isKeyLive(key, now)) return refusedKey();
  if (key.owner_active === false) return { kind: 'refused', detail: 'The person who owns this API key is not active in the directory. Ask an administrator.' };
  if (!inNetworks(key.networks ?? [], from)) return { kind: 'refused', detail: 'This API key may not be used from this network address.' };
  return {
    kind: 'caller',
    networks: key.networks ?? [],
    last_used_at: key.last_used_at ?? null,
    caller: callerOf(key, { issuer: workload?.issuer ?? world.issuer, method: methodOf(key), at: now }, workload),
  };
}

/** Whether a bearer looks like one of a caller rather than of a person. */
export function isCallerBearer(bearer: string): boolean {
  return bearer.startsWith('cs_key_') || bearer.startsWith('cs_run_') || isJwt(bearer);
}

type Found = { key: ApiKeyRecord; workload: WorkloadEvidence | null };

async function byBearer(bearer: string, world: CallerWorld): Promise<Found | Exclude<CallerAuthentication, { kind: 'caller' }> | null> {
  if (isJwt(bearer)) {
    if (world.workloads === undefined) return null;
    const verdict = await world.workloads.verify(bearer);
    return verdict.kind === 'verified' ? { key: verdict.caller, workload: verdict.evidence } : verdict;
  }
  const run = parseWorkloadToken(bearer);
  if (run !== null) {
    const known = (await world.callers?.workloadToken(run.hash)) ?? null;
    return known === null || !sameHash(known.token.hash, run.hash) ? null : { key: known.caller, workload: known.token.evidence };
  }
  const token = parseApiKey(bearer);
  if (token === null) return null;
  const key = await world.credentials.apiKeyByHash(token.hash);
  if (key === null || (key.kind ?? 'secret') !== 'secret') return null;
  return sameHash(key.hash, token.hash) || isPrevious(key, token.hash, world.clock.now()) ? { key, workload: null } : null;
}

async function byCertificate(certificate: ClientCertificate, world: CallerWorld): Promise<Found | null> {
  const key = (await world.callers?.certificateCaller(certificate)) ?? null;
  return key === null ? null : { key, workload: null };
}

/** The secret before the last rotation, while both count. */
function isPrevious({ previous_hash, previous_until }: ApiKeyRecord, hash: Uint8Array, now: Instant): boolean {
  return previous_hash != null && previous_until != null && previous_until > now && sameHash(previous_hash, hash);
}

function callerOf(key: ApiKeyRecord, authenticated: Caller['authenticated'], workload: WorkloadEvidence | null): Caller {
  const { rights } = key;
  return {
    tenant: key.tenant,
    key_id: key.id,
    name: key.name,
    owner: key.owner,
    // What the token fixes, the rights were held against when it was verified.
    rights: workload?.environment == null ? rights : { ...rights, environments: [workload.environment] },
    authenticated,
    ...(workload === null ? {} : { workload, human: workload.human?.ref ?? null }),
  };
}

function methodOf(key: ApiKeyRecord): Caller['authenticated']['method'] {
  return key.kind === 'workload' ? 'workload_token' : key.kind === 'certificate' ? 'client_certificate' : 'api_key';
}

const refusedKey = (): CallerAuthentication & { kind: 'refused' } => ({ kind: 'refused', detail: 'This API key is not known, was revoked, or has expired.' });

/** Three parts of base64url (RFC 7515, section 3.1): no token of ours has dots. */
const isJwt = (text: string): boolean => /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/.test(text);
