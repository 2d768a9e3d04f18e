import { readFile } from 'node:fs/promises';
import { KeysError } from '../errors.js';
import { callKms, codeAt, textOf } from './call.js';
import type { KmsEnvironment } from './kms.js';

interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** How long before their end credentials are asked for anew, in milliseconds. */
const RENEW_MS = 300_000;

/**
 * Who we are to AWS, in the order of its SDKs: the environment; a web identity (EKS IRSA); the container's endpoint (ECS, EKS pod identity);
 * the instance (IMDSv2). Kept until five minutes before their end.
 */
export function awsCredentials(environment: KmsEnvironment, region: string): () => Promise<Credentials> {
  let kept: { credentials: Credentials; until: number } | null = null;
  return async () => {
    if (kept !== null && Date.now() < kept.until - RENEW_MS) return kept.credentials;
    kept = await find(environment, region);
    return kept.credentials;
  };
}

async function find(environment: KmsEnvironment, region: string): Promise<{ credentials: Credentials; until: number }> {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken } = environment;
  if (accessKeyId !== undefined && secretAccessKey !== undefined)
    return { credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }, until: Number.POSITIVE_INFINITY };
  const { AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ROLE_ARN: role } = environment;
  if (file !== undefined && role !== undefined) return byWebIdentity(environment, region, file, role);
  const { AWS_CONTAINER_CREDENTIALS_FULL_URI: full, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: relative } = environment;
  if (full !== undefined || relative !== undefined) return byContainer(environment, full ?? `http://169.254.170.2${relative ?? ''}`);
  if (environment['AWS_EC2_METADATA_DISABLED'] === 'true')
    throw new KeysError('kms_refused', 'There are no AWS credentials: set AWS_ACCESS_KEY_ID, or give the machine a role.');
  return byInstance(environment);
}

async function byWebIdentity(environment: KmsEnvironment, region: string, file: string, role: string) {
  const token = (await readFile(file, 'utf8').catch((cause: unknown) => unreadable('AWS_WEB_IDENTITY_TOKEN_FILE', cause))).trim();
  const url = new URL(environment['AWS_ENDPOINT_URL_STS'] ?? `https://sts.${region}.amazonaws.com/`);
  const session = environment['AWS_ROLE_SESSION_NAME'] ?? 'countersign';
  const body = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: role,
    RoleSessionName: session,
    WebIdentityToken: token,
  });
  const request = new Request(url, { method: 'POST', headers: { accept: 'application/json' }, body });
  const answer = await callKms('AWS STS', request, (refusal) => codeAt(refusal, 'Error', 'Code'));
  const found = dig(answer, 'AssumeRoleWithWebIdentityResponse', 'AssumeRoleWithWebIdentityResult', 'Credentials');
  return { credentials: named(found, 'SessionToken'), until: instantOf(codeAt(found, 'Expiration')) };
}

async function byContainer(environment: KmsEnvironment, uri: string) {
  const file = environment['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'];
  const token =
    file === undefined
      ? environment['AWS_CONTAINER_AUTHORIZATION_TOKEN']
      : (await readFile(file, 'utf8').catch((cause: unknown) => unreadable('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE', cause))).trim();
  const answer = await callKms("The container's credentials", new Request(uri, token === undefined ? {} : { headers: { authorization: token } }), () => null);
  return { credentials: named(answer, 'Token'), until: instantOf(codeAt(answer, 'Expiration')) };
}

async function byInstance(environment: KmsEnvironment) {
  const base = (environment['AWS_EC2_METADATA_SERVICE_ENDPOINT'] ?? 'http://169.254.169.254').replace(/\/$/, '');
  const text = async (path: string, init: RequestInit): Promise<string> => {
    const answer = await fetch(`${base}${path}`, { ...init, signal: AbortSignal.timeout(2_000) }).catch((cause: unknown) => {
      throw new KeysError('kms_unavailable', 'There are no AWS credentials in the environment, and no instance answers for them.', { cause });
    });
    if (!answer.ok) throw new KeysError('kms_refused', `The instance has no AWS credentials (${answer.status}).`);
    return (await answer.text()).trim();
  };
  const token = await text('/latest/api/token', { method: 'PUT', headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '300' } });
  const headers = { 'x-aws-ec2-metadata-token': token };
  const role = await text('/latest/meta-data/iam/security-credentials/', { headers });
  const answer: unknown = JSON.parse(await text(`/latest/meta-data/iam/security-credentials/${encodeURIComponent(role)}`, { headers }));
  return { credentials: named(answer, 'Token'), until: instantOf(codeAt(answer, 'Expiration')) };
}

function named(answer: unknown, token: 'Token' | 'SessionToken'): Credentials {
  const what = 'Who gives AWS credentials';
  return {
    accessKeyId: textOf(what, answer, 'AccessKeyId'),
    secretAccessKey: textOf(what, answer, 'SecretAccessKey'),
    sessionToken: textOf(what, answer, token),
  };
}

function dig(value: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>((at, member) => (at !== null && typeof at === 'object' ? Object.getOwnPropertyDescriptor(at, member)?.value : undefined), value);
}

/** ISO 8601, or seconds since 1970 as STS's JSON has it. */
function instantOf(text: string | null): number {
  const at = text === null ? Number.NaN : /^[\d.]+$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  return Number.isNaN(at) ? 0 : at;
}

function unreadable(name: string, cause: unknown): never {
  throw new KeysError('kms_refused', `The file that ${name} names cannot be read.`, { cause });
}
