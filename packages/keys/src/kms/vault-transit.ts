import { readFile } from 'node:fs/promises';
import { KeysError } from '../errors.js';
import { bytesOf, callKms, textOf } from './call.js';
import type { Kms, KmsEnvironment } from './kms.js';

const WHAT = 'Vault';

/**
 * A key of Vault's (or OpenBao's) Transit engine, `MOUNT/KEY`: its encrypt and decrypt over HTTP, with the context as associated data, so
 * the key must be of an AEAD type (aes256-gcm96 is the default). VAULT_ADDR says where; VAULT_TOKEN or the file of VAULT_TOKEN_FILE, which
 * is read each time since agents renew it, says who we are; VAULT_NAMESPACE is heeded.
 */
export function vaultTransit(path: string, environment: KmsEnvironment): Kms {
  const [, mount, key] = /^([A-Za-z0-9_/-]{1,128})\/([A-Za-z0-9_.-]{1,100})$/.exec(path) ?? [];
  if (mount === undefined || key === undefined)
    throw new KeysError('invalid_master_key', 'A key of Vault Transit is written vault:MOUNT/KEY, as vault:transit/countersign.');
  const address = environment['VAULT_ADDR'];
  if (address === undefined || !URL.canParse(address))
    throw new KeysError('invalid_master_key', 'A key of Vault Transit needs VAULT_ADDR, as https://vault.example.com:8200.');
  const base = `${address.replace(/\/+$/, '')}/v1/${mount}`;
  const call = async (action: 'encrypt' | 'decrypt', body: object): Promise<unknown> => {
    const namespace = environment['VAULT_NAMESPACE'];
    const headers = {
      'x-vault-token': await tokenOf(environment),
      'x-vault-request': 'true',
      'content-type': 'application/json',
      ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
    };
    const answer = await callKms(WHAT, new Request(`${base}/${action}/${key}`, { method: 'POST', headers, body: JSON.stringify(body) }), () => null);
    return answer !== null && typeof answer === 'object' && 'data' in answer ? answer.data : null;
  };
  const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64');
  return {
    kid: `vault:${path}`,
    async encrypt(plaintext, context) {
      // `vault:v1:…`: the version of the key stands in it.
      return new Uint8Array(Buffer.from(textOf(WHAT, await call('encrypt', { plaintext: base64(plaintext), associated_data: base64(context) }), 'ciphertext')));
    },
    async decrypt(ciphertext, context) {
      const answer = await call('decrypt', { ciphertext: Buffer.from(ciphertext).toString('utf8'), associated_data: base64(context) }).catch(
        (error: unknown) => {
          if (error instanceof KeysError && error.message.includes('(400)')) throw new KeysError('not_opened', error.message, { cause: error });
          throw error;
        },
      );
      return bytesOf(WHAT, answer, 'plaintext');
    },
  };
}

async function tokenOf(environment: KmsEnvironment): Promise<string> {
  const file = environment['VAULT_TOKEN_FILE'];
  if (file === undefined) {
    const token = environment['VAULT_TOKEN'];
    if (token === undefined) throw new KeysError('kms_refused', 'Vault needs VAULT_TOKEN or VAULT_TOKEN_FILE.');
    return token;
  }
  return (
    await readFile(file, 'utf8').catch((cause: unknown) => {
      throw new KeysError('kms_refused', 'The file that VAULT_TOKEN_FILE names cannot be read.', { cause });
    })
  ).trim();
}
