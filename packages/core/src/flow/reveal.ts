import type { JsonValue, MaskedValue } from '@countersign/contracts';
import { revealRight } from '../policy/reveal.js';
import type { DecidingContext, Person } from '../ports.js';
import { pointerTokens } from '../request/index.js';
import type { FlowDeps } from './deps.js';
import { isInternal } from './internal.js';
import { policyInput } from './open.js';
import { leafMaker, type OpenPayload, openPayload } from './record-key.js';

/** One masked place of a request, and whether a person may see what is there. */
export interface Revealable {
  pointer: string;
  classes: string[];
  may_reveal: boolean;
  /** How old the proof of who it is may be, in seconds; null: as old as the session. */
  fresh_seconds: number | null;
}

export interface RevealInput {
  tenant: string;
  person_id: string;
  request_id: string;
  /** Of the masked view, as the report of the masks has it. */
  pointer: string;
  purpose: string;
  /** When the person last proved who they are; null where nobody knows. */
  proved_at: string | null;
}

export type RevealOutcome =
  | { kind: 'revealed'; pointer: string; classes: string[]; value: JsonValue }
  | { kind: 'refused'; code: 'not_found' | 'reveal_not_allowed' | 'step_up_required' | 'account_inactive'; text: string };

/**
 * Shows one masked value to a person with the right, after it is in the ledger who saw what and why (F2): the entry holds no value, and
 * where it cannot be written nothing is shown. The right is asked of the policy that the request is pinned to and of the one in force, and
 * both must agree; no rank gives it.
 */
export async function reveal(deps: FlowDeps, input: RevealInput): Promise<RevealOutcome> {
  const read = await readFor(deps, input);
  if (read === null) return refused('not_found', 'There is no such action request, or you may not see it.');
  const { person, context, payload, places } = read;
  if (person === undefined || !person.active) return refused('account_inactive', 'Your account is not active in the directory. Ask an administrator.');
  const place = places.find(({ pointer }) => pointer === input.pointer);
  if (place === undefined) return refused('not_found', 'Nothing is masked at this place of the request.');
  if (!place.may_reveal) {
    await recordRefused(deps, input, read, place.classes);
    return refused(
      'reveal_not_allowed',
      `Policy does not let you see this value (${place.classes.join(', ')}). Ask somebody whom it does, or decide without it.`,
    );
  }
  const at = deps.clock.now();
  if (place.fresh_seconds !== null && !isFresh(input.proved_at, at, place.fresh_seconds)) {
    return refused('step_up_required', 'Policy asks for a fresh proof of who you are before this value is shown: use your passkey, or sign in anew.');
  }
  const found = valueBehind(context.request.view as JsonValue, seenOf(payload.submission), pointerTokens(input.pointer));
  if (found === undefined) return refused('not_found', 'This value cannot be told apart from its neighbours, so it is not shown.');
  const leaf = leafMaker(deps, { tenant: input.tenant, subject: input.request_id, recordKey: payload.recordKey });
  const details = { person: { id: person.id, email: person.email, name: person.name }, pointer: input.pointer, purpose: input.purpose };
  await deps.requests.record(input.tenant, [leaf('value.revealed', at, { classes: place.classes }, details)]);
  deps.announcer.announce('decisions');
  return { kind: 'revealed', pointer: input.pointer, classes: place.classes, value: found.value };
}

/** That somebody without the right wanted to see a value: a ledger entry, as a refused decision is. */
async function recordRefused(deps: FlowDeps, { tenant, request_id, pointer }: RevealInput, { person, payload }: Read, classes: string[]): Promise<void> {
  const leaf = leafMaker(deps, { tenant, subject: request_id, recordKey: payload.recordKey });
  const who = person === undefined ? null : { id: person.id, email: person.email, name: person.name };
  await deps.requests.record(tenant, [leaf('reveal.refused', deps.clock.now(), { code: 'reveal_not_allowed', classes }, { person: who, pointer })]);
  deps.announcer.announce('decisions');
}

/** The masked places of a request with what a person may do there: for pages that offer it. */
export async function revealables(deps: FlowDeps, who: { tenant: string; person_id: string; request_id: string }): Promise<Revealable[]> {
  return (await readFor(deps, who))?.places ?? [];
}

interface Read {
  context: DecidingContext;
  person: Person | undefined;
  payload: OpenPayload;
  places: Revealable[];
}

async function readFor(deps: FlowDeps, who: { tenant: string; person_id: string; request_id: string }): Promise<Read | null> {
  const context = await deps.requests.decidingContext(who);
  if (context === null) return null;
  const { request } = context;
  const payload = await openPayload(deps.sealer, request);
  const person = context.people.find(({ id }) => id === who.person_id);
  // Of Countersign's own configuration no bundle speaks.
  const bundles = isInternal(request)
    ? []
    : await Promise.all([...new Set([request.policy_digest, context.active_policy])].map((digest) => deps.policies.bundle(who.tenant, digest)));
  const input = { ...policyInput(payload.submission, request.resolved.environment, deps.clock.now(), request.requester), ...payload.circumstances };
  const said = bundles.map((bundle) => ({ layers: bundle.evaluate(input).reveal, groups: bundle.expandGroups(person?.groups ?? []) }));
  const places = placesOf(request.masked).map(([pointer, classes]): Revealable => {
    const rights = said.map(({ layers, groups }) => revealRight(layers, groups, classes));
    const may_reveal = rights.length > 0 && rights.every((right) => right !== null);
    const fresh = rights.flatMap((right) => (right === null || right.fresh_seconds === null ? [] : [right.fresh_seconds]));
    return { pointer, classes, may_reveal, fresh_seconds: fresh.length === 0 ? null : Math.min(...fresh) };
  });
  return { context, person, payload, places };
}

/** Each masked place with all that was found there, in the order of the document. */
function placesOf(masked: readonly MaskedValue[]): [string, string[]][] {
  const places = new Map<string, Set<string>>();
  for (const entry of masked) places.set(entry.pointer, (places.get(entry.pointer) ?? new Set()).add(entry.class));
  return [...places].map(([pointer, classes]) => [pointer, [...classes].sort()]);
}

/** What people see of a submission, unmasked. */
function seenOf({ callback: _callback, grant_audience: _audience, grant_jkt: _jkt, timeout_seconds: _timeout, ...seen }: OpenPayload['submission']): JsonValue {
  return seen as JsonValue;
}

/**
 * The value that stands where the view has its mask. A name that was itself masked is found by its place among its neighbours, which
 * masking keeps in order; undefined where that does not lead to one value for certain.
 */
function valueBehind(view: JsonValue, original: JsonValue, tokens: readonly string[]): { value: JsonValue } | undefined {
  const [token, ...rest] = tokens;
  if (token === undefined) return { value: original };
  if (view === null || original === null || typeof view !== 'object' || typeof original !== 'object') return undefined;
  const [shown, real] = [Object.entries(view), Object.entries(original)];
  const at = shown.findIndex(([name]) => name === token);
  const aligned = shown.length === real.length && shown.every(([name], index) => name === real[index]?.[0] || !Object.hasOwn(original, name));
  const [below, behind] = [shown[at], real[at]];
  return aligned && below !== undefined && behind !== undefined ? valueBehind(below[1], behind[1], rest) : undefined;
}

function isFresh(proved: string | null, now: string, seconds: number): boolean {
  return proved !== null && Date.parse(now) - Date.parse(proved) <= seconds * 1000;
}

const refused = (code: Extract<RevealOutcome, { kind: 'refused' }>['code'], text: string): RevealOutcome => ({ kind: 'refused', code, text });
