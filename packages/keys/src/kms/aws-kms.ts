import { AwsClient } from 'aws4fetch';
import { KeysError } from '../errors.js';
import { awsCredentials } from './aws-credentials.js';
import { bytesOf, callKms, codeAt } from './call.js';
import type { Kms, KmsEnvironment } from './kms.js';

const WHAT = 'AWS KMS';

/**
 * A symmetric key of AWS KMS, by its ARN: `Encrypt` and `Decrypt` of its JSON API, signed with SigV4. The context is the encryption context
 * `{"countersign": …}`, which CloudTrail shows.
 * @param arn of the key or of an alias: `arn:aws:kms:eu-central-1:111122223333:key/…`
 */
export function awsKms(arn: string, environment: KmsEnvironment): Kms {
  const [, partition = '', region = ''] = /^arn:(aws[a-z-]*):kms:([a-z0-9-]+):\d{12}:(?:key\/[A-Za-z0-9-]+|alias\/[A-Za-z0-9/_-]+)$/.exec(arn) ?? [];
  if (region === '') throw new KeysError('invalid_master_key', 'An AWS KMS key is written aws-kms:arn:aws:kms:REGION:ACCOUNT:key/ID.');
  const endpoint = environment['AWS_ENDPOINT_URL_KMS'] ?? `https://kms.${region}.amazonaws.com${partition === 'aws-cn' ? '.cn' : ''}/`;
  const credentials = awsCredentials(environment, region);

  const call = async (action: 'Encrypt' | 'Decrypt', body: object): Promise<unknown> => {
    const client = new AwsClient({ ...(await credentials()), service: 'kms', region, retries: 0 });
    const request = await client.sign(endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${action}` },
      body: JSON.stringify({ KeyId: arn, ...body }),
    });
    return callKms(WHAT, request, (answer) => codeAt(answer, '__type')?.replace(/^.*#/, '') ?? null);
  };

  return {
    kid: `aws-kms:${arn}`,
    async encrypt(plaintext, context) {
      const answer = await call('Encrypt', { Plaintext: Buffer.from(plaintext).toString('base64'), EncryptionContext: { countersign: context } });
      return bytesOf(WHAT, answer, 'CiphertextBlob');
    },
    async decrypt(ciphertext, context) {
      const body = { CiphertextBlob: Buffer.from(ciphertext).toString('base64'), EncryptionContext: { countersign: context } };
      const answer = await call('Decrypt', body).catch((error: unknown) => {
        if (error instanceof KeysError && /InvalidCiphertext|IncorrectKey/.test(error.message))
          throw new KeysError('not_opened', error.message, { cause: error });
        throw error;
      });
      return bytesOf(WHAT, answer, 'Plaintext');
    },
  };
}
