import { createPrivateKey, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { base64url, utf8 } from '@countersign/core/request';
import { KeysError } from '../errors.js';
import { bytesOf, callKms, codeAt, textOf } from './call.js';
import type { Kms, KmsEnvironment } from './kms.js';

const WHAT = 'Google Cloud KMS';
const SCOPE = 'https://www.googleapis.com/auth/cloudkms';

/**
 * A symmetric key of Google Cloud KMS, by its resource name: `encrypt` and `decrypt` of its REST API (v1). The context is the additional
 * authenticated data.
 * @param name `projects/P/locations/L/keyRings/R/cryptoKeys/K`
 */
export function gcpKms(name: string, environment: KmsEnvironment): Kms {
  if (!/^projects\/[a-z0-9:.-]+\/locations\/[a-z0-9-]+\/keyRings\/[A-Za-z0-9_-]{1,63}\/cryptoKeys\/[A-Za-z0-9_-]{1,63}$/.test(name))
    throw new KeysError('invalid_master_key', 'A Google Cloud KMS key is written gcp-kms:projects/P/locations/L/keyRings/R/cryptoKeys/K.');
  const base = (environment['CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS'] ?? 'https://cloudkms.googleapis.com/').replace(/\/$/, '');
  const token = googleToken(environment);
  const call = async (action: 'encrypt' | 'decrypt', body: object): Promise<unknown> => {
    const headers = { authorization: `Bearer ${await token()}`, 'content-type': 'application/json' };
    return callKms(WHAT, new Request(`${base}/v1/${name}:${action}`, { method: 'POST', headers, body: JSON.stringify(body) }), (answer) =>
      codeAt(answer, 'error', 'status'),
    );
  };
  const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64');
  return {
    kid: `gcp-kms:${name}`,
    async encrypt(plaintext, context) {
      return bytesOf(WHAT, await call('encrypt', { plaintext: base64(plaintext), additionalAuthenticatedData: base64(context) }), 'ciphertext');
    },
    async decrypt(ciphertext, context) {
      const answer = await call('decrypt', { ciphertext: base64(ciphertext), additionalAuthenticatedData: base64(context) }).catch((error: unknown) => {
        if (error instanceof KeysError && error.message.includes('INVALID_ARGUMENT')) throw new KeysError('not_opened', error.message, { cause: error });
        throw error;
      });
      return bytesOf(WHAT, answer, 'plaintext');
    },
  };
}

/** Who we are to Google: a service account's key file (GOOGLE_APPLICATION_CREDENTIALS, RFC 7523), else the metadata server. Kept until a minute before its end. */
function googleToken(environment: KmsEnvironment): () => Promise<string> {
  let kept = { token: '', until: 0 };
  return async () => {
    if (Date.now() < kept.until - 60_000) return kept.token;
    const file = environment['GOOGLE_APPLICATION_CREDENTIALS'];
    const host = environment['GCE_METADATA_HOST'] ?? 'metadata.google.internal';
    const request =
      file === undefined
        ? new Request(`http://${host}/computeMetadata/v1/instance/service-accounts/default/token`, { headers: { 'metadata-flavor': 'Google' } })
        : await assertion(file);
    const answer = await callKms('Who gives Google credentials', request, (refusal) => codeAt(refusal, 'error'));
    kept = { token: textOf(WHAT, answer, 'access_token'), until: Date.now() + Number(codeAt(answer, 'expires_in') ?? 0) * 1000 };
    return kept.token;
  };
}

async function assertion(file: string): Promise<Request> {
  try {
    const account: unknown = JSON.parse(await readFile(file, 'utf8'));
    const [email, key, url, kid] = ['client_email', 'private_key', 'token_uri', 'private_key_id'].map((member) => textOf(WHAT, account, member));
    const now = Math.floor(Date.now() / 1000);
    const body = [
      { alg: 'RS256', typ: 'JWT', kid },
      { iss: email, scope: SCOPE, aud: url, iat: now, exp: now + 3600 },
    ]
      .map((part) => base64url(utf8(JSON.stringify(part))))
      .join('.');
    const jwt = `${body}.${sign('sha256', Buffer.from(body), createPrivateKey(key ?? '')).toString('base64url')}`;
    return new Request(url ?? '', { method: 'POST', body: new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: jwt }) });
  } catch (cause) {
    throw new KeysError('kms_refused', 'GOOGLE_APPLICATION_CREDENTIALS names no key file of a service account.', { cause });
  }
}
