import type { IncomingMessage } from 'node:http';

import type { ProblemInput } from './problem.js';

/** How a body is written: JSON, or a form as RFC 6749 and OpenID Connect post them. */
export type BodyType = 'application/json' | 'application/x-www-form-urlencoded';

/** A strict JSON parser over bytes, passed in by apps; core's parseStrictJson fits. */
export type StrictParser = (
  bytes: Uint8Array,
) =>
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: { readonly pointer: string; readonly line: number; readonly column: number; readonly detail: string } };

export type BodyResult = { readonly ok: true; readonly value: unknown; readonly bytes: Buffer } | { readonly ok: false; readonly problem: ProblemInput };

/** 256 KiB, the wire contract's limit. */
export const DEFAULT_BODY_LIMIT = 262_144;

/**
 * Reads a JSON body whole and strictly: `application/json` in UTF-8 only (415), no Content-Encoding (415), at most `maxBytes` (413), parsed by `parse` (400).
 * `wanted` names another type where the body is a form, which `parse` then reads.
 * Never throws for what the client did; the body is read once, before anything else reads it.
 */
export async function readJsonBody(
  request: IncomingMessage,
  parse: StrictParser,
  maxBytes = DEFAULT_BODY_LIMIT,
  wanted: BodyType = 'application/json',
): Promise<BodyResult> {
  const refusal = mediaProblem(request, wanted);
  if (refusal !== undefined) return refuse(request, refusal);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) return refuse(request, tooLarge(maxBytes));

  const bytes = await readBytes(request, maxBytes);
  if (bytes === 'too_large') return refuse(request, tooLarge(maxBytes));
  if (bytes === 'cut_off')
    return { ok: false, problem: { code: 'invalid_body', title: 'Body cut off', status: 400, detail: 'The connection ended before the body did.' } };

  const parsed = parse(bytes);
  if (parsed.ok) return { ok: true, value: parsed.value, bytes };
  const { pointer, line, column, detail } = parsed.problem;
  return {
    ok: false,
    problem: {
      code: 'invalid_json',
      title: 'Not acceptable JSON',
      status: 400,
      detail: `${detail} (line ${line}, column ${column})`,
      errors: [{ pointer, detail }],
    },
  };
}

/** RFC 9110 §8.3; JSON is UTF-8 (RFC 8259 §8.1), and a charset that says otherwise is a mistake worth naming. */
function mediaProblem(request: IncomingMessage, wanted: BodyType): ProblemInput | undefined {
  const unsupported = (detail: string): ProblemInput => ({
    code: 'unsupported_media_type',
    title: 'Unsupported media type',
    status: 415,
    detail,
    headers: { accept: wanted },
  });
  const [type = '', ...parameters] = (request.headers['content-type'] ?? '').split(';').map((part) => part.trim().toLowerCase());
  if (type !== wanted) return unsupported(`Send the body with Content-Type: ${wanted}.`);
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  if (charset !== undefined && !/^charset="?utf-?8"?$/u.test(charset)) return unsupported('The body is UTF-8; leave the charset out.');
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity') return unsupported('Send the body without Content-Encoding.');
  return undefined;
}

function tooLarge(maxBytes: number): ProblemInput {
  return { code: 'body_too_large', title: 'Body too large', status: 413, detail: `A body may have ${maxBytes} bytes.` };
}

/** A refused body is not read to its end: the connection closes after the answer. */
function refuse(request: IncomingMessage, problem: ProblemInput): BodyResult {
  if (request.complete) return { ok: false, problem };
  return { ok: false, problem: { ...problem, headers: { ...problem.headers, connection: 'close' } } };
}

function readBytes(request: IncomingMessage, maxBytes: number): Promise<Buffer | 'too_large' | 'cut_off'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (result: Buffer | 'too_large' | 'cut_off'): void => {
      request.off('data', onData).off('end', onEnd).off('close', onCut).off('error', onCut);
      resolve(result);
    };
    const onData = (chunk: Buffer): void => {
      length += chunk.length;
      if (length > maxBytes) {
        request.pause();
        finish('too_large');
      } else chunks.push(chunk);
    };
    const onEnd = (): void => finish(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks));
    const onCut = (): void => finish('cut_off');
    request.on('data', onData).on('end', onEnd).on('close', onCut).on('error', onCut);
  });
}
