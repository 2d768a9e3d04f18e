import { CoreError } from '../errors.js';
import { digestOf, type Digest } from './canonical-json.js';
import type { ActionRequestId } from './ids.js';
import type { Instant } from './instants.js';

/** What will run and for whom, as the caller submitted it. */
export interface ActionDigestInput {
  /** Dotted name of the action, for instance `data.export`. */
  readonly action: string;
  /** `{ "type", "id", "labels"? }` with the caller's spelling of the id and the caller's labels. */
  readonly resource: object;
  readonly parameters?: object | undefined;
  /** `{ "type", "id", "on_behalf_of"? }` and whatever else the caller submitted in it. */
  readonly actor: object;
  readonly environment?: string | undefined;
}

/**
 * The action digest: `sha256:` followed by the lower-case hexadecimal SHA-256 of the UTF-8 bytes of the RFC 8785 canonical JSON of one
 * object with the members `action`, `resource`, `parameters`, `actor`, `environment`, each exactly as submitted.
 *
 * A member that was absent at submit is absent from the object; none is ever null, and none is added, normalised or resolved: not the
 * resource's id, not labels of a catalogue, not an environment that the credential fixed. Other members of the request (`reason`,
 * `context`, `callback`, …) are not part of it. Inside the members every value counts, nulls included.
 *
 * For `{"action":"iam.grant","resource":{"type":"role","id":"admin"},"actor":{"type":"ci","id":"deploy"}}` the hashed bytes are
 * `{"action":"iam.grant","actor":{"id":"deploy","type":"ci"},"resource":{"id":"admin","type":"role"}}` without a line end.
 *
 * Other members of the argument are ignored, so that a whole request may be passed.
 * @throws CoreError `invalid_digest_input` for a member that is null, undefined or missing; `not_canonical_json` as canonicalJson does.
 */
export function actionDigest(input: ActionDigestInput): Digest {
  return digestOf(pick(input, ['action', 'resource', 'actor'], ['parameters', 'environment']));
}

/** All that an approver judged. */
export interface RequestDigestInput {
  readonly id: ActionRequestId;
  readonly action_digest: Digest;
  /** What the service made of the caller's claims. */
  readonly resolved: {
    /** Labels of the resource after the catalogue's labels won over the caller's; `{}` if there are none. */
    readonly labels: Readonly<Record<string, string>>;
    /** Absent where neither catalogue, credential nor caller named one. */
    readonly environment?: string | undefined;
    /** How far the action can be undone, by the catalogue of actions. */
    readonly reversibility: string;
  };
  /** Tenant id. */
  readonly tenant: string;
  /** The verified caller. */
  readonly requester: object;
  /** The humans in the chain, in its order: behind the actor, the agent's owner, the API key's owner, behind the workload token. */
  readonly chain: readonly object[];
  readonly reason?: string;
  readonly context?: object;
  /** What policy demanded, absent where it demanded nobody (allowed or denied at once). */
  readonly requirement?: object;
  readonly policy_digest: Digest;
  /** Who may redeem the grant. */
  readonly grant_audience: string | readonly string[];
  readonly expires_at: Instant;
}

/**
 * The request digest: `sha256:` followed by the lower-case hexadecimal SHA-256 of the UTF-8 bytes of the RFC 8785 canonical JSON of one
 * object with the members `id`, `action_digest`, `resolved` (`labels`, `environment`, `reversibility`), `tenant`, `requester`, `chain`,
 * `reason`, `context`, `requirement`, `policy_digest`, `grant_audience`, `expires_at`.
 *
 * `reason` and `context` are as submitted. A member that does not exist for the request (`reason`, `context`, `requirement`,
 * `resolved.environment`) is absent; none is null. `expires_at` is RFC 3339 UTC with three decimals. `resolved` has no other members.
 *
 * Other members of the argument are ignored.
 * @throws CoreError `invalid_digest_input` for a member that is null, undefined or missing; `not_canonical_json` as canonicalJson does.
 */
export function requestDigest(input: RequestDigestInput): Digest {
  const members = pick(
    input,
    ['id', 'action_digest', 'resolved', 'tenant', 'requester', 'chain', 'policy_digest', 'grant_audience', 'expires_at'],
    ['reason', 'context', 'requirement'],
  );
  return digestOf({ ...members, resolved: pick(input.resolved, ['labels', 'reversibility'], ['environment']) });
}

/** The named members alone; a null or undefined one is a fault here, before it could be hashed or dropped. */
function pick(input: object, required: readonly string[], optional: readonly string[]): Record<string, unknown> {
  const members = new Map<string, unknown>(Object.entries(input));
  const picked: Record<string, unknown> = {};
  for (const name of [...required, ...optional]) {
    if (!members.has(name)) {
      if (required.includes(name)) throw new CoreError('invalid_digest_input', `${name} is missing from what is digested`);
      continue;
    }
    const value = members.get(name);
    if (value === null || value === undefined) throw new CoreError('invalid_digest_input', `${name} is ${String(value)}; an absent member must be absent`);
    picked[name] = value;
  }
  return picked;
}
