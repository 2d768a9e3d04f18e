import type { Effect, JsonObject, JsonValue, PolicyComparison, PolicyTransition } from '@countersign/contracts';
import { CoreError } from '../errors.js';
import { type CompiledBundle, type Evaluation, mergeRequirements } from '../policy/index.js';
import type { RequestState } from '../ports.js';
import { addSeconds, canonicalJson, type Instant } from '../request/index.js';
import type { FlowDeps } from './deps.js';
import { isInternal } from './internal.js';
import { policyInput } from './open.js';
import { openPayload } from './record-key.js';

/** How far back requests are replayed, in seconds, and how many of them at most: the latest. */
const REPLAY_SECONDS = 90 * 86_400;
const REPLAY_REQUESTS = 2_000;
const PAGE = 200;
const EXAMPLES = 5;

/**
 * How another bundle compares with the one in force. It loosens unless both say otherwise: its text adds nothing but rules that deny or ask
 * for people, and none of the latest requests would have needed less under it.
 */
export async function comparePolicies(
  deps: Pick<FlowDeps, 'requests' | 'sealer' | 'clock'>,
  tenant: string,
  current: CompiledBundle,
  next: CompiledBundle,
): Promise<PolicyComparison> {
  const structure = onlyTightens(current.canonical, next.canonical);
  const { replayed, unread, transitions } = await replay(deps, tenant, current, next);
  const looser = transitions.filter(({ direction }) => direction === 'looser').reduce((sum, { count }) => sum + count, 0);
  const reasons = [
    ...structure,
    ...(looser === 0 ? [] : [`${looser} of the latest ${replayed} requests would have needed less.`]),
    ...(unread === 0 ? [] : [`${unread} of the latest requests could not be read again.`]),
  ];
  return { from: current.digest, to: next.digest, loosens: reasons.length > 0, reasons, replayed, transitions };
}

/** Members that decide nothing. */
const NO_EFFECT = new Set(['tests', 'coverage', 'rules', 'metadata', 'lets', 'windows', 'groups']);
/** Members of a rule that take something from other rules, or let somebody past. */
const LETS_PAST = ['exempts', 'break_glass', 'limit'];

/**
 * Why the text of a bundle may loosen; empty where it adds deny and require rules alone, with names that they use. A rule that was changed
 * at all counts as removed: nobody has shown that it is not weaker.
 */
export function onlyTightens(current: string, next: string): string[] {
  const [before, after] = [bundlesOf(parsed(current)), bundlesOf(parsed(next))];
  const reasons: string[] = [];
  for (const [name, bundle] of before) {
    const now = after.get(name);
    const prefix = before.size === 1 ? '' : `${name}: `;
    if (now === undefined) reasons.push(`The bundle ${name} was removed.`);
    else reasons.push(...loosenings(bundle, now).map((reason) => `${prefix}${reason}`));
  }
  // Another bundle has defaults of its own, and may widen what is declared.
  for (const name of after.keys()) if (!before.has(name)) reasons.push(`The bundle ${name} is new.`);
  return reasons;
}

/** By name; a policy of one bundle is a set of one, whatever its name. */
function bundlesOf(document: JsonObject): Map<string, JsonObject> {
  const { bundles } = document;
  if (!Array.isArray(bundles)) return new Map([['', document]]);
  return new Map(
    bundles.map((bundle) => {
      const { name } = objectOf(objectOf(bundle)['metadata']);
      return [typeof name === 'string' ? name : '', objectOf(bundle)];
    }),
  );
}

function loosenings(before: JsonObject, after: JsonObject): string[] {
  const reasons: string[] = [];
  for (const member of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (!NO_EFFECT.has(member) && !same(before[member], after[member])) reasons.push(`${member} differs.`);
  }
  const meta = (document: JsonObject): JsonObject => {
    const { version: _version, description: _description, ...rest } = objectOf(document['metadata']);
    return rest;
  };
  if (!same(meta(before), meta(after))) reasons.push('metadata differs in more than its version.');
  // What is defined may be joined by other names; none may mean something else, or be gone.
  for (const member of ['lets', 'windows', 'groups']) {
    const [old, now] = [objectOf(before[member]), objectOf(after[member])];
    // The first group that is written forbids the names of all others, which only makes a bundle fail to load.
    for (const name of Object.keys(old)) if (!same(old[name], now[name])) reasons.push(`${member}: ${name} was changed or removed.`);
  }
  const [oldRules, newRules] = [rulesOf(before), rulesOf(after)];
  // A rule that matches takes the place of the default.
  const { outcome } = objectOf(before['defaults']);
  for (const [id, rule] of oldRules) if (!same(rule, newRules.get(id))) reasons.push(`The rule ${id} was ${newRules.has(id) ? 'changed' : 'removed'}.`);
  for (const [id, rule] of newRules) {
    if (oldRules.has(id)) continue;
    const past = LETS_PAST.filter((member) => member in rule);
    if (rule['effect'] !== 'deny' && rule['effect'] !== 'require') reasons.push(`The rule ${id} is new and allows.`);
    else if (rule['effect'] === 'require' && outcome !== 'allow')
      reasons.push(`The rule ${id} is new and asks where the default, which is stricter than to allow, would have spoken.`);
    else if (past.length > 0) reasons.push(`The rule ${id} is new and has ${past.join(', ')}.`);
  }
  return reasons;
}

interface Replay {
  replayed: number;
  unread: number;
  transitions: PolicyTransition[];
}

const RANK: Record<Effect, number> = { allow: 0, require: 1, deny: 2 };

/** Evaluates both bundles on the latest requests, each as of when it was asked; nothing is stored. */
async function replay(deps: Pick<FlowDeps, 'requests' | 'sealer' | 'clock'>, tenant: string, current: CompiledBundle, next: CompiledBundle): Promise<Replay> {
  const found = new Map<string, PolicyTransition>();
  let [replayed, unread] = [0, 0];
  for await (const { request } of latest(deps, tenant)) {
    // Of Countersign's own changes no bundle speaks.
    if (isInternal(request)) continue;
    const payload = await openPayload(deps.sealer, request).catch((error: unknown) => {
      // Erased, as its subject asked: it cannot be replayed, and is no fault.
      if (error instanceof CoreError && error.code === 'payload_unreadable') return null;
      throw error;
    });
    if (payload === null) {
      if (request.sealed_payload.length > 0) unread += 1;
      continue;
    }
    replayed += 1;
    const input = policyInput(payload.submission, request.resolved.environment, request.created_at as Instant, request.requester);
    const [from, to] = [current.evaluate(input), next.evaluate(input)];
    const direction = directionOf(from, to);
    if (direction === 'same') continue;
    const key = `${from.effect} ${to.effect} ${direction}`;
    const transition = found.get(key) ?? { from: from.effect, to: to.effect, direction, count: 0, examples: [] };
    transition.count += 1;
    if (transition.examples.length < EXAMPLES) transition.examples.push(request.id);
    found.set(key, transition);
  }
  return { replayed, unread, transitions: [...found.values()] };
}

function directionOf(from: Evaluation, to: Evaluation): 'looser' | 'stricter' | 'same' {
  if (from.effect !== to.effect) return RANK[to.effect] > RANK[from.effect] ? 'stricter' : 'looser';
  if (from.requirement === null || to.requirement === null) return masksLess(from, to) ? 'looser' : 'same';
  if (same(from.requirement as object as JsonValue, to.requirement as object as JsonValue)) return masksLess(from, to) ? 'looser' : 'same';
  // At least as strict is what the sum of both adds nothing to.
  const sum = mergeRequirements(from.requirement, to.requirement);
  return same(sum as object as JsonValue, to.requirement as object as JsonValue) && !masksLess(from, to) ? 'stricter' : 'looser';
}

const masksLess = (from: Evaluation, to: Evaluation): boolean => from.maskPaths.some((path) => !to.maskPaths.includes(path));

async function* latest({ requests, clock }: Pick<FlowDeps, 'requests' | 'clock'>, tenant: string): AsyncGenerator<RequestState> {
  const from = addSeconds(clock.now(), -REPLAY_SECONDS);
  let before: { created_at: string; id: string } | undefined;
  for (let read = 0; read < REPLAY_REQUESTS; read += PAGE) {
    const page = await requests.list(tenant, { limit: PAGE, from, reader: { kind: 'all' }, ...(before === undefined ? {} : { before }) });
    yield* page;
    const last = page.at(-1)?.request;
    if (page.length < PAGE || last === undefined) return;
    before = { created_at: last.created_at, id: last.id };
  }
}

// A canonical text is JSON of an object: compileCanonical has read it.
const parsed = (canonical: string): JsonObject => JSON.parse(canonical) as JsonObject;
const objectOf = (value: JsonValue | undefined): JsonObject => (value !== null && typeof value === 'object' && !Array.isArray(value) ? value : {});
const same = (a: JsonValue | undefined, b: JsonValue | undefined): boolean =>
  a === undefined || b === undefined ? a === b : canonicalJson(a) === canonicalJson(b);

function rulesOf(document: JsonObject): Map<string, JsonObject> {
  const { rules } = document;
  return new Map(
    (Array.isArray(rules) ? rules : []).map((rule) => {
      const { id } = objectOf(rule);
      return [typeof id === 'string' ? id : '', objectOf(rule)];
    }),
  );
}
