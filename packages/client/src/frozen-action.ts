import { actionDigest, canonicalJson, parseStrictJson } from '@countersign/core/request';
import { ClientError } from './errors.js';
import type { Action } from './types.js';

/** A copy of an action that nothing can change any more, and its digest. */
export interface FrozenAction<A extends Action = Action> {
  readonly action: Readonly<A>;
  readonly digest: string;
}

/**
 * Copies and freezes the members that the digest covers; members that are undefined at the top are absent, all else is dropped by nobody.
 * What was approved, what is redeemed and what runs is this copy, whatever becomes of the original.
 * @throws ClientError `invalid_action` for what JSON cannot say in one way: undefined inside, NaN, numbers beyond 2^53, dates, class instances
 */
export function freezeAction<A extends Action>(action: A): FrozenAction<A> {
  const members: Record<string, unknown> = {};
  for (const name of ['action', 'resource', 'parameters', 'actor', 'environment'] as const) {
    const value = action[name];
    if (value !== undefined) members[name] = value;
  }
  let text: string;
  try {
    text = canonicalJson(members);
  } catch (cause) {
    throw new ClientError('invalid_action', `The action is not plain JSON: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  const read = parseStrictJson(text, { maxBytes: Number.MAX_SAFE_INTEGER });
  if (!read.ok) throw new ClientError('invalid_action', `The action is not plain JSON at "${read.problem.pointer}": ${read.problem.detail}.`);
  // The strict parser read back what the canonical text of an A says; only undefined members, which JSON does not have, are gone.
  const copy = deepFreeze(read.value) as unknown as A;
  try {
    return { action: copy, digest: actionDigest(copy) };
  } catch (cause) {
    throw new ClientError('invalid_action', `The action cannot be digested: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** The `action_digest` of an action: what the service must answer, and the grant must carry. @throws ClientError `invalid_action` */
export function actionDigestOf(action: Action): string {
  return freezeAction(action).digest;
}

function deepFreeze<T>(root: T): T {
  const todo: unknown[] = [root];
  for (let value = todo.pop(); value !== undefined; value = todo.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    todo.push(...Object.values(value));
    Object.freeze(value);
  }
  return root;
}
