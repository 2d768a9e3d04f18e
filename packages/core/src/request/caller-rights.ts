import type { Submission } from '@countersign/contracts';
import type { Caller, KeyRights } from '../ports.js';

/** What a caller named and may not name; `pointer` says which field (RFC 6901). */
export interface RightsProblem {
  code: 'actor_not_allowed' | 'action_not_allowed' | 'environment_mismatch' | 'callback_not_allowed';
  pointer: string;
  text: string;
}

/**
 * Holds a submission against what its API key may name. The environment that comes out is the credential's where the
 * credential fixes one (a key of exactly one environment), else the caller's, else none.
 */
export function checkRights(submission: Submission, caller: Caller): RightsProblem | { environment: string | undefined } {
  const { rights } = caller;
  if (!coversName(rights.actors, submission.actor.id)) {
    return { code: 'actor_not_allowed', pointer: '/actor/id', text: `The API key "${caller.name}" may not speak for this actor.` };
  }
  const behalf = submission.actor.on_behalf_of?.id;
  if (behalf !== undefined && rights.on_behalf_of !== undefined && !coversName(rights.on_behalf_of.map(foldCase), foldCase(behalf))) {
    return { code: 'actor_not_allowed', pointer: '/actor/on_behalf_of/id', text: `The API key "${caller.name}" may not act on behalf of this person.` };
  }
  if (!covers(rights.actions, submission.action)) {
    return { code: 'action_not_allowed', pointer: '/action', text: `The API key "${caller.name}" may not ask for this action.` };
  }
  const environment = submission.environment ?? soleEnvironment(rights);
  if (environment !== undefined && !covers(rights.environments, environment)) {
    return {
      code: 'environment_mismatch',
      pointer: '/environment',
      text: `The API key "${caller.name}" belongs to ${rights.environments.join(', ')}, not to this environment.`,
    };
  }
  const { callback } = submission;
  if (callback !== undefined && 'url' in callback && !coversHost(rights.callback_hosts, callback.url)) {
    return { code: 'callback_not_allowed', pointer: '/callback/url', text: `The API key "${caller.name}" may not name this callback host.` };
  }
  return { environment };
}

/** Whether a list of names and `prefix*` patterns covers the name. An empty list covers nothing. */
export function covers(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern));
}

/**
 * The same for names that people gave, in any script. What begins like a name but holds what nobody sees, or is written in a form that is
 * not its own normal form, is no such name: `ci-` does not cover a look-alike. `*` alone covers any.
 */
function coversName(patterns: readonly string[], name: string): boolean {
  const plain = name === name.normalize('NFKC') && !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(name);
  return covers(plain ? patterns : patterns.filter((pattern) => pattern === '*' || !pattern.endsWith('*')), name);
}

const foldCase = (text: string): string => text.toLowerCase();

function soleEnvironment(rights: KeyRights): string | undefined {
  const [first] = rights.environments;
  return rights.environments.length === 1 && first !== undefined && !first.endsWith('*') ? first : undefined;
}

/** Whether a key that may name these callback hosts may name this address. */
export function coversHost(hosts: readonly string[], url: string): boolean {
  if (hosts.includes('*')) return true;
  return URL.canParse(url) && hosts.includes(new URL(url).hostname);
}
