import type { JsonObject, JsonValue, PersonView, RequesterView, Requirement, Submission } from '@countersign/contracts';
import { entriesOf, hasItsTickets, humanOf, linkOf } from '../decision/index.js';
import { maskText } from '../masking/index.js';
import { mergeRequirements } from '../policy/index.js';
import { progress } from '../policy/quorum.js';
import type {
  ActionRequestRecord,
  ChainLink,
  DecidingContext,
  DecisionRecord,
  LeafRecord,
  PatternDocument,
  PatternPins,
  PatternRecord,
  Person,
  SealContext,
} from '../ports.js';
import { addSeconds, canonicalJson, digestOf, fromUtf8, type Instant, newId, utf8 } from '../request/index.js';
import { loneLeaf } from './lone-leaf.js';
import type { FlowDeps } from './deps.js';
import type { leafMaker } from './record-key.js';

/**
 * Approve-alike patterns (B6): with an approval, where policy lets it, an approver lets the same be asked again without being asked, so often
 * and so long. A pattern is never wider than what was asked: the same action, resource, actor, environment and requester, parameters of the
 * same names and types, those that are pinned with the same values.
 */

/**
 * What a use must share with the request that was approved: also for whom its grant is, and of a workload the repository and the person
 * whose run it is, since one caller stands for all runs that fit its rule.
 */
function matchKey(of: { submission: Submission; environment: string | undefined; requester: RequesterView; chain: readonly ChainLink[] }): string {
  const { action, resource, actor, purpose, grant_audience } = of.submission;
  const { type, id, workflow } = of.requester;
  return digestOf({
    ...{ action, actor, requester: { type, id }, environment: of.environment ?? null, purpose: purpose ?? null, grant_audience: grant_audience ?? null },
    ...{ repository: workflow?.repository ?? null, human: of.chain.find(({ role }) => role === 'token_human')?.ref ?? null },
    resource: { type: resource.type, id: resource.id, labels: resource.labels ?? {} },
  });
}

/** The pattern that a settling approval makes; null where it asked for none. Whether policy lets it was judged with the press. */
export async function patternOf(
  deps: Pick<FlowDeps, 'entropy' | 'sealer'>,
  made: {
    context: DecidingContext;
    submission: Submission;
    decision: DecisionRecord;
    requirement: Requirement;
    at: Instant;
    leaf: ReturnType<typeof leafMaker>;
  },
): Promise<{ record: PatternRecord; leaf: LeafRecord } | null> {
  const { context, submission, decision, requirement, at, leaf } = made;
  const { alike } = decision;
  if (alike === undefined) return null;
  const { request } = context;
  const parameters = submission.parameters ?? {};
  const id = newId('pt', at, deps.entropy.bytes(10));
  const paths = [...new Set(alike.pin)].toSorted();
  const pins: PatternPins = { pins: paths.map((path) => ({ path, ...valueAt(parameters, path) })), shape: shapeOf(parameters) };
  const shown = valuesShown(request, paths, deps.entropy.bytes(32));
  const earlier = context.decisions.filter(({ verdict }) => verdict === 'approve').map(({ person }) => person);
  const document: PatternDocument = {
    action: submission.action,
    resource: { type: request.view.resource.type, id: request.view.resource.id },
    actor: { type: request.view.actor.type, id: request.view.actor.id },
    environment: request.resolved.environment ?? null,
    requester: { type: request.requester.type, id: request.requester.id, name: request.requester.name },
    pinned: shown,
    requirement,
    ttl_seconds: alike.ttl_seconds,
    approved_by: [...earlier, decision.person],
  };
  const record: PatternRecord = {
    tenant: request.tenant,
    id,
    match_key: matchKey({ submission, environment: request.resolved.environment, requester: request.requester, chain: request.chain }),
    request_id: request.id,
    created_by: decision.person.id,
    created_at: at,
    expires_at: addSeconds(at, alike.ttl_seconds),
    uses: alike.uses,
    used: 0,
    revoked_at: null,
    revoked_by: null,
    document,
    sealed_pins: await deps.sealer.seal(pinsContext(request.tenant, id), utf8(canonicalJson(pins))),
  };
  return {
    record,
    leaf: leaf(
      'pattern.created',
      at,
      { pattern: id, uses: alike.uses, expires_at: record.expires_at },
      { by: { ...decision.person }, pinned: shown as object as JsonValue },
      6,
    ),
  };
}

/** What a request that policy asks people for is held against patterns with. */
export interface Asked {
  submission: Submission;
  environment: string | undefined;
  requester: RequesterView;
  /** What policy demands of it now. */
  requirement: Requirement;
  /** The humans behind it. */
  chain: readonly ChainLink[];
}

/**
 * The pattern by which a request may pass without asking: one that fits it, on terms that policy lets now, made for no less than policy
 * demands now, by people who are active still, could approve as much now, and stand behind neither this request nor its actor. Null: people are asked.
 */
export async function fittingPattern(deps: Pick<FlowDeps, 'patterns' | 'requests' | 'sealer'>, tenant: string, asked: Asked): Promise<PatternRecord | null> {
  const { requirement } = asked;
  if (deps.patterns === undefined || requirement.alike === undefined) return null;
  // Plain JSON.
  if (!hasItsTickets(requirement.obligations ?? {}, asked.submission as JsonValue)) return null;
  for (const pattern of await deps.patterns.live(tenant, matchKey(asked))) {
    if (!allowedNow(pattern, requirement) || !(await madeByOthers(deps, tenant, pattern, asked.chain))) continue;
    // Sealed by patternOf alone, and authenticated with its place.
    const pins = JSON.parse(fromUtf8(await deps.sealer.open(pinsContext(tenant, pattern.id), pattern.sealed_pins))) as PatternPins;
    if (fits(pins, asked.submission.parameters ?? {}, requirement.alike?.pin ?? [])) return pattern;
  }
  return null;
}

function allowedNow({ uses, document }: PatternRecord, now: Requirement): boolean {
  const { alike } = now;
  if (alike === undefined || uses > alike.max_uses || document.ttl_seconds > alike.max_ttl_seconds) return false;
  // What was answered then must be enough now: together they demand no more than it did.
  return canonicalJson(demands(mergeRequirements(document.requirement, now))) === canonicalJson(demands(document.requirement));
}

/** What a requirement demands of an approval; how long its grant lives is the new request's own business. */
function demands(requirement: Requirement): JsonValue {
  const { alike: _alike, timeout_seconds: _timeout, grant_ttl_seconds: _ttl, use_within_seconds: _use, ...rest } = requirement;
  const { channels: _channels, reminders_seconds: _reminders, counter: _counter, bulk: _bulk, batch: _batch, on_timeout: _end, ...asked } = rest;
  return asked as object as JsonValue;
}

async function madeByOthers(deps: Pick<FlowDeps, 'requests'>, tenant: string, { document }: PatternRecord, chain: readonly ChainLink[]): Promise<boolean> {
  const ids = document.approved_by.map(({ id }) => id);
  const { people } = await deps.requests.openingContext({ tenant, agent_id: '', refs: ids });
  const made = ids.map((id): Person | undefined => people.find((candidate) => entriesOf(candidate).includes(id)));
  const apart = made.filter((person) => person !== undefined && person.active && linkOf(chain, person) === null);
  // Who left the group that approves approves no more, by a pattern either.
  const approvals = apart.flatMap((person) => (person === undefined ? [] : [{ person_id: humanOf(person), groups: person.groups }]));
  return apart.length === ids.length && progress(document.requirement, approvals, Number.POSITIVE_INFINITY).satisfied;
}

function fits({ pins, shape }: PatternPins, parameters: JsonObject, demanded: readonly string[]): boolean {
  if (canonicalJson(shapeOf(parameters)) !== canonicalJson(shape)) return false;
  if (demanded.some((path) => !pins.some((pin) => pin.path === path))) return false;
  return pins.every(({ path, present, value }) => {
    const now = valueAt(parameters, path);
    return now.present === present && canonicalJson(now.value) === canonicalJson(value);
  });
}

/** Names and types of all members, at whatever depth; a list counts as one value whose members may be others. */
function shapeOf(parameters: JsonObject): Record<string, string> {
  const shape: Record<string, string> = {};
  const visit = (value: JsonValue, path: string): void => {
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      shape[path] = 'object';
      for (const [name, member] of Object.entries(value)) visit(member, `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`);
    } else shape[path] = value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value;
  };
  visit(parameters, '');
  return shape;
}

/** The value at `parameters.table` or `table.name`; a path that leads nowhere is pinned to being absent, one into a list pins the whole list. */
function valueAt(parameters: JsonObject, path: string): { present: boolean; value: JsonValue } {
  let value: JsonValue = parameters;
  for (const name of namesOf(path)) {
    if (Array.isArray(value)) return { present: true, value };
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, name)) return { present: false, value: null };
    value = value[name] ?? null;
  }
  return { present: true, value };
}

/** Dots part names; a name with other characters is written `["a.b"]`, as in policy. */
function namesOf(path: string): string[] {
  const names = [...path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|([^.[\]]+)/g)].map(([, quoted, plain]) =>
    quoted === undefined ? (plain ?? '') : (JSON.parse(`"${quoted}"`) as string),
  );
  return names[0] === 'parameters' ? names.slice(1) : names;
}

/** The pinned values as people may see them: of the masked view, and searched for secrets once more. */
function valuesShown({ view }: ActionRequestRecord, paths: readonly string[], key: Uint8Array): PatternDocument['pinned'] {
  const parameters = view.parameters ?? {};
  return paths.map((path) => {
    const { present, value } = valueAt(parameters, path);
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return { path, value: present ? maskText(text.slice(0, 500), { paths: [], key }).masked : '(absent)' };
  });
}

/** How a request that a pattern let pass was approved, in a sentence. */
export function patternText({ id, document, used, uses }: PatternRecord): string {
  return `Approved alike an earlier request by ${document.approved_by.map(({ name }) => name).join(' and ')} (pattern ${id}, use ${used + 1} of ${uses}).`;
}

export type RevokePatternOutcome =
  | { kind: 'revoked'; pattern: PatternRecord }
  | { kind: 'not_allowed'; code: 'not_found' | 'forbidden' | 'already_lifted'; text: string };

/** Takes a pattern back: who approved with it, whoever may approve what it is for, an administrator. */
export async function revokePattern(
  deps: Pick<FlowDeps, 'patterns' | 'sealer' | 'clock' | 'entropy' | 'announcer'>,
  by: { tenant: string; person: Person },
  id: string,
): Promise<RevokePatternOutcome> {
  const pattern = (await deps.patterns?.get(by.tenant, id)) ?? null;
  if (pattern === null || !seesPattern(by.person, pattern))
    return { kind: 'not_allowed', code: 'not_found', text: 'There is no such pattern, or you may not see it.' };
  const at = deps.clock.now();
  const person: PersonView = { id: by.person.id, email: by.person.email, name: by.person.name };
  const leaf = await loneLeaf(deps, {
    event: 'pattern.revoked',
    at,
    tenant: by.tenant,
    subject: id,
    facts: { pattern: id },
    details: { by: { ...person } },
  });
  const { changed } = (await deps.patterns?.revoke({ tenant: by.tenant, id, at, by: person, leaf })) ?? { changed: false };
  if (!changed) return { kind: 'not_allowed', code: 'already_lifted', text: 'This pattern was revoked already.' };
  deps.announcer.announce('decisions');
  return { kind: 'revoked', pattern: { ...pattern, revoked_at: at, revoked_by: person } };
}

/** Who may see a pattern may revoke it: it only takes something away. */
export function seesPattern(person: Person, { document }: PatternRecord): boolean {
  return (
    person.roles.includes('administrator') ||
    person.roles.includes('auditor') ||
    document.approved_by.some(({ id }) => entriesOf(person).includes(id)) ||
    document.requirement.stages.some(({ all }) => all.some(({ group }) => person.groups.includes(group)))
  );
}

const pinsContext = (tenant: string, id: string): SealContext => ({ tenant, table: 'patterns', row: id, column: 'sealed_pins' });
