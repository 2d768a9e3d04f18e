import { KeysError } from '../errors.js';

/** How long a KMS may take, in milliseconds. */
const TIMEOUT_MS = 5_000;

/**
 * One call over HTTP, as JSON. What is said of a failure is the KMS's own code and never a body: it could hold what was to be encrypted.
 * @throws KeysError `kms_unavailable` where there is no answer, or one that says to try again; `kms_refused` for every other refusal
 */
export async function callKms(what: string, request: Request, codeOf: (body: unknown) => string | null): Promise<unknown> {
  let answer: Response;
  let body: unknown;
  try {
    answer = await fetch(request, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) });
    const text = await answer.text();
    body = text === '' ? null : JSON.parse(text);
  } catch (cause) {
    throw new KeysError('kms_unavailable', `${what} does not answer.`, { cause });
  }
  if (answer.ok) return body;
  const code = codeOf(body) ?? String(answer.status);
  if (answer.status === 429 || answer.status >= 500 || /Throttl|LimitExceeded|KMSInternal|DependencyTimeout/.test(code))
    throw new KeysError('kms_unavailable', `${what} cannot answer for the moment (${code}).`);
  throw new KeysError('kms_refused', `${what} refused (${code}).`);
}

/** A text member of an answer, from base64. @throws KeysError `kms_unavailable` where the answer is another */
export function bytesOf(what: string, body: unknown, member: string): Uint8Array {
  return new Uint8Array(Buffer.from(textOf(what, body, member), 'base64'));
}

export function textOf(what: string, body: unknown, member: string): string {
  const value: unknown = body !== null && typeof body === 'object' ? Object.getOwnPropertyDescriptor(body, member)?.value : undefined;
  if (typeof value !== 'string' || value === '') throw new KeysError('kms_unavailable', `${what} answered without "${member}".`);
  return value;
}

/** A member of a member, where there is one: where KMSs put their codes. */
export function codeAt(body: unknown, ...path: string[]): string | null {
  let value: unknown = body;
  for (const member of path) value = value !== null && typeof value === 'object' ? Object.getOwnPropertyDescriptor(value, member)?.value : undefined;
  return typeof value === 'string' || typeof value === 'number' ? String(value) : null;
}
