import { createCipheriv, createDecipheriv, createHash, createHmac, createPublicKey, generateKeyPairSync, randomBytes, verify } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server that answers as AWS KMS, Google Cloud KMS or Vault Transit do: paths, headers, signatures, bodies, codes of failure. */
export interface FakeKms {
  /** For COUNTERSIGN_MASTER_KEY. */
  key: string;
  /** What a process needs in its environment to use it. */
  environment: Record<string, string>;
  /** Calls that were answered, by action. */
  calls: { encrypt: number; decrypt: number; token: number };
  /** `down`: no answer; `throttled`: as when too much is asked; `denied`: no right to the key. */
  mood: 'well' | 'down' | 'throttled' | 'denied';
  close(): Promise<void>;
}

interface Served {
  status: number;
  body: object;
}

/** AES-256-GCM under a key of the server's own, with the context authenticated; null where it does not open. */
function box() {
  const key = randomBytes(32);
  return {
    seal(plaintext: Buffer, aad: string): Buffer {
      const iv = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(aad));
      return Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
    },
    open(sealed: Buffer, aad: string): Buffer | null {
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12)).setAAD(Buffer.from(aad)).setAuthTag(sealed.subarray(-16));
        return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]);
      } catch {
        return null;
      }
    },
  };
}

async function serve(
  world: Pick<FakeKms, 'mood'>,
  answer: (request: IncomingMessage, body: string) => Served,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    if (world.mood === 'down') return void request.socket.destroy();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { status, body } = answer(request, Buffer.concat(chunks).toString('utf8'));
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // A TCP server's address is an object.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const ARN = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
const ACCESS_KEY = 'AKIDEXAMPLE';
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';

/** AWS KMS: its JSON 1.1 API; requests whose SigV4 signature is not right are refused. */
export async function startFakeAwsKms(): Promise<FakeKms> {
  const { seal, open } = box();
  const calls = { encrypt: 0, decrypt: 0, token: 0 };
  const refuse = (code: string, status = 400): Served => ({ status, body: { __type: `com.amazonaws.kms#${code}` } });
  const world: Pick<FakeKms, 'mood'> = { mood: 'well' };
  const server = await serve(world, (request, text) => {
    if (!isSignedV4(request, text)) return refuse('InvalidSignatureException');
    if (world.mood === 'throttled') return refuse('ThrottlingException');
    if (world.mood === 'denied') return refuse('AccessDeniedException');
    const body = JSON.parse(text) as { KeyId: string; Plaintext: string; CiphertextBlob: string; EncryptionContext: object };
    if (body.KeyId !== ARN) return refuse('NotFoundException');
    const context = JSON.stringify(body.EncryptionContext);
    switch (request.headers['x-amz-target']) {
      case 'TrentService.Encrypt':
        calls.encrypt += 1;
        return {
          status: 200,
          body: {
            CiphertextBlob: seal(Buffer.from(body.Plaintext, 'base64'), context).toString('base64'),
            KeyId: ARN,
            EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
          },
        };
      case 'TrentService.Decrypt': {
        calls.decrypt += 1;
        const opened = open(Buffer.from(body.CiphertextBlob, 'base64'), context);
        return opened === null ? refuse('InvalidCiphertextException') : { status: 200, body: { Plaintext: opened.toString('base64'), KeyId: ARN } };
      }
      default:
        return refuse('UnknownOperationException');
    }
  });
  const environment = { AWS_ENDPOINT_URL_KMS: `${server.url}/`, AWS_ACCESS_KEY_ID: ACCESS_KEY, AWS_SECRET_ACCESS_KEY: SECRET };
  return Object.assign(world, { key: `aws-kms:${ARN}`, environment, calls, close: server.close });
}

/** Signature Version 4, computed from what was received, as AWS documents it. */
function isSignedV4(request: IncomingMessage, body: string): boolean {
  const [, credential = '', signed = '', signature = ''] =
    /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(request.headers.authorization ?? '') ?? [];
  const [id, date = '', region = '', service = ''] = credential.split('/');
  const names = signed.split(';');
  if (id !== ACCESS_KEY || !names.includes('host') || !names.includes('x-amz-target')) return false;
  const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
  const canonical = ['POST', '/', '', ...names.map((name) => `${name}:${String(request.headers[name]).trim()}`), '', signed, hash(body)].join('\n');
  const scope = `${date}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', String(request.headers['x-amz-date']), scope, hash(canonical)].join('\n');
  const key = [date, region, service, 'aws4_request'].reduce<Buffer | string>(
    (above, part) => createHmac('sha256', above).update(part).digest(),
    `AWS4${SECRET}`,
  );
  return createHmac('sha256', key).update(toSign).digest('hex') === signature;
}

const RESOURCE = 'projects/acme/locations/europe-west3/keyRings/countersign/cryptoKeys/master';

/** Google Cloud KMS, with the token endpoint of a service account; `credentials` is the text of its key file. */
export async function startFakeGcpKms(): Promise<FakeKms & { credentials: string }> {
  const { seal, open } = box();
  const calls = { encrypt: 0, decrypt: 0, token: 0 };
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const token = randomBytes(16).toString('hex');
  const refuse = (status: number, code: string): Served => ({ status, body: { error: { code: status, status: code, message: code } } });
  const world: Pick<FakeKms, 'mood'> = { mood: 'well' };
  const server = await serve(world, (request, text) => {
    if (request.url === '/token') {
      calls.token += 1;
      const form = new URLSearchParams(text);
      const [head = '', body = '', signature = ''] = (form.get('assertion') ?? '').split('.');
      const good = verify(
        'sha256',
        Buffer.from(`${head}.${body}`),
        createPublicKey(publicKey.export({ format: 'pem', type: 'spki' })),
        Buffer.from(signature, 'base64url'),
      );
      return good && form.get('grant_type') === 'urn:ietf:params:oauth:grant-type:jwt-bearer'
        ? { status: 200, body: { access_token: token, expires_in: 3599, token_type: 'Bearer' } }
        : { status: 400, body: { error: 'invalid_grant' } };
    }
    if (request.headers.authorization !== `Bearer ${token}`) return refuse(401, 'UNAUTHENTICATED');
    if (world.mood === 'throttled') return refuse(429, 'RESOURCE_EXHAUSTED');
    if (world.mood === 'denied') return refuse(403, 'PERMISSION_DENIED');
    const body = JSON.parse(text) as { plaintext: string; ciphertext: string; additionalAuthenticatedData: string };
    switch (request.url) {
      case `/v1/${RESOURCE}:encrypt`:
        calls.encrypt += 1;
        return {
          status: 200,
          body: {
            name: `${RESOURCE}/cryptoKeyVersions/1`,
            ciphertext: seal(Buffer.from(body.plaintext, 'base64'), body.additionalAuthenticatedData).toString('base64'),
          },
        };
      case `/v1/${RESOURCE}:decrypt`: {
        calls.decrypt += 1;
        const opened = open(Buffer.from(body.ciphertext, 'base64'), body.additionalAuthenticatedData);
        return opened === null ? refuse(400, 'INVALID_ARGUMENT') : { status: 200, body: { plaintext: opened.toString('base64') } };
      }
      default:
        return refuse(404, 'NOT_FOUND');
    }
  });
  const credentials = JSON.stringify({
    type: 'service_account',
    client_email: 'countersign@acme.iam.gserviceaccount.com',
    private_key_id: 'k1',
    private_key: privateKey.export({ format: 'pem', type: 'pkcs8' }),
    token_uri: `${server.url}/token`,
  });
  return Object.assign(world, {
    key: `gcp-kms:${RESOURCE}`,
    environment: { CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS: server.url },
    calls,
    credentials,
    close: server.close,
  });
}

/** Vault's Transit engine at transit/, with a key `countersign` of type aes256-gcm96. */
export async function startFakeVault(): Promise<FakeKms> {
  const { seal, open } = box();
  const calls = { encrypt: 0, decrypt: 0, token: 0 };
  const token = `hvs.${randomBytes(12).toString('hex')}`;
  const refuse = (status: number, error: string): Served => ({ status, body: { errors: [error] } });
  const world: Pick<FakeKms, 'mood'> = { mood: 'well' };
  const server = await serve(world, (request, text) => {
    if (request.headers['x-vault-token'] !== token || world.mood === 'denied') return refuse(403, 'permission denied');
    if (world.mood === 'throttled') return refuse(503, 'Vault is sealed');
    const body = JSON.parse(text) as { plaintext: string; ciphertext: string; associated_data: string };
    switch (request.url) {
      case '/v1/transit/encrypt/countersign':
        calls.encrypt += 1;
        return {
          status: 200,
          body: { data: { ciphertext: `vault:v1:${seal(Buffer.from(body.plaintext, 'base64'), body.associated_data).toString('base64')}`, key_version: 1 } },
        };
      case '/v1/transit/decrypt/countersign': {
        calls.decrypt += 1;
        const [, version, sealed = ''] = body.ciphertext.split(':');
        const opened = version === 'v1' ? open(Buffer.from(sealed, 'base64'), body.associated_data) : null;
        return opened === null
          ? refuse(400, 'cipher: message authentication failed')
          : { status: 200, body: { data: { plaintext: opened.toString('base64') } } };
      }
      default:
        return refuse(404, 'no handler for route');
    }
  });
  return Object.assign(world, { key: 'vault:transit/countersign', environment: { VAULT_ADDR: server.url, VAULT_TOKEN: token }, calls, close: server.close });
}
