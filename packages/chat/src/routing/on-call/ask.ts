import { OnCallError } from './error.js';

/** An answer above this is none of these services', in characters. */
const MOST_CHARACTERS = 5_000_000;

/** Asks a service's REST API; its JSON. The token goes to the configured host alone: a redirect is not followed. */
export async function ask(service: string, url: URL, headers: Readonly<Record<string, string>>, timeoutMs: number): Promise<unknown> {
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) });
    text = await answer.text();
  } catch (cause) {
    throw new OnCallError('unreachable', `${service} gives no answer`, { cause });
  }
  if (!answer.ok) {
    // 429 and 5xx pass by themselves.
    const code = answer.status >= 500 || answer.status === 429 ? 'unreachable' : 'refused';
    throw new OnCallError(code, `${service} answers ${String(answer.status)}${HINTS[answer.status] ?? ''}`);
  }
  if (text.length > MOST_CHARACTERS) throw new OnCallError('unreachable', `${service} answers too much`);
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new OnCallError('unreachable', `${service} answers what is no JSON`, { cause });
  }
}

const HINTS: Readonly<Record<number, string>> = {
  401: ': the token is not accepted',
  403: ': the token may not read the schedule',
  404: ': there is no such schedule',
  422: ': the token is not accepted',
  429: ': too many questions',
};

/** A member of a JSON object; undefined where there is none. */
export function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
}

export const list = (value: unknown): readonly unknown[] | null => (Array.isArray(value) ? value : null);
