import type { Card, JsonValue } from '@countersign/contracts';
import { type Progress, progress } from '../policy/quorum.js';
import { describeMasks } from '../masking/index.js';
import type { ActionRequestRecord, RequestState } from '../ports.js';
import { makeVisible, type Unseen } from '../request/visible-text.js';
import { requestUrlOf } from './url.js';
import { doubtsOf, oddWords } from './doubts.js';
import { demandFacts, demandMembers } from './demands.js';
import { marksOf, nameOf, outcomeText, waitingFor } from './words.js';

export interface CardOptions {
  publicUrl: string;
  /** The standing notice of a quickstart; null otherwise. */
  notice: string | null;
}

/** How far the decisions of a request have met its requirement; null where nobody is needed. */
export function progressOf(state: RequestState): Progress | null {
  const { requirement } = state.request;
  if (requirement === null) return null;
  const approvals = state.decisions
    .filter((decision) => decision.verdict === 'approve' && decision.break_glass !== true)
    .map((decision) => ({ person_id: decision.person.id, groups: decision.groups }));
  return progress(requirement, approvals, elapsedOf(state));
}

/** For how long it has waited, in seconds, when it was read or settled. */
function elapsedOf({ request, read_at }: RequestState): number {
  return (Date.parse(request.settled_at ?? read_at) - Date.parse(request.created_at)) / 1000;
}

/**
 * The card of a request as it stands now: the same words for every platform. Plain text, masked, and every character
 * that a person could not see is made visible (C2; the holes that facts on hostile text name).
 */
export function cardOf(state: RequestState, options: CardOptions): Card {
  const { request } = state;
  const show = shower();
  const current = progressOf(state);
  const { view } = request;
  const open = request.status === 'pending';
  const facts = [...factsOf(request, show.text), ...demandFacts(state, show).map(([label, value]) => ({ label, value: show.text(value) }))];
  const last = state.outcomes.at(-1);
  const text = outcomeText(state);
  const card: Omit<Card, 'warnings'> = {
    request_id: request.id,
    url: requestUrlOf(options.publicUrl, request.id),
    status: request.status,
    action_digest: request.action_digest,
    request_digest: request.request_digest,
    view_digest: request.view_digest,
    headline: headlineOf(request, show.line),
    facts,
    reason: view.reason === undefined ? null : show.text(view.reason),
    parameters: Object.entries(view.parameters ?? {}).map(([path, value]) => ({ path: show.line(path), value: show.value(value) })),
    diff: view.context?.diff === undefined ? null : show.text(view.context.diff),
    links: (view.context?.links ?? []).map(({ title, url }) => ({ title: show.line(title), ...linkTarget(url) })),
    everything: show.value({
      action: view.action,
      resource: view.resource,
      ...(view.parameters === undefined ? {} : { parameters: view.parameters }),
      actor: view.actor,
      ...(view.environment === undefined ? {} : { environment: view.environment }),
      ...(view.reason === undefined ? {} : { reason: view.reason }),
      ...(view.context === undefined ? {} : { context: view.context as JsonValue }),
      ...(view.purpose === undefined ? {} : { purpose: view.purpose }),
      ...(view.undo === undefined ? {} : { undo: view.undo as JsonValue }),
    } as JsonValue),
    hidden: request.masked.length === 0 ? null : describeMasks(request.masked),
    rule: {
      ids: request.evaluation.rules,
      explanation: show.text(request.evaluation.explanation),
      policy: policyWords(request),
      policy_digest: request.policy_digest,
    },
    stages: (current?.stages ?? []).map(({ stage, filled, satisfied, open: stageOpen }) => ({
      name: stage.name,
      groups: filled.map(({ group, quorum, filled: approved }) => ({ group, quorum, approved })),
      open: open && stageOpen,
      satisfied,
    })),
    waiting_for: open && current !== null ? waitingFor(current) : null,
    decisions: state.decisions.map((decision) => ({
      name: show.line(`${nameOf(decision)}${marksOf(decision)}`),
      verdict: decision.verdict,
      reason: decision.reason === null ? null : show.text(decision.reason),
      at: decision.decided_at,
      via: decision.via,
    })),
    outcome: last === undefined || text === null ? null : { status: last.status, text: show.text(text), at: last.settled_at },
    created_at: request.created_at,
    expires_at: request.expires_at,
    open,
    reason_required: request.requirement?.reason_required ?? { approve: false, deny: false },
    ...(request.requirement?.obligations?.passkey === undefined ? {} : { passkey_required: true as const }),
    ...demandMembers(state, show),
    notice: options.notice,
  };
  // The view is plain JSON, which its type does not say.
  const doubts = doubtsOf({ texts: [...stringsIn(view as unknown as JsonValue)], unseen: show.unseen(), links: card.links });
  const frozen = (state.freezes ?? []).map(({ id, reason, placed_at }) => `Frozen since ${placed_at} (${id}): ${show.line(reason)}`);
  return {
    ...card,
    ...(doubts.length === 0 || !open ? {} : { open_first: true as const }),
    warnings: [...frozen, ...request.warnings, ...doubts, ...oddWords(show.unseen())],
  };
}

/** The bundles by name and version, so that people recognise what the digest pins. */
function policyWords({ about, policy_digest }: ActionRequestRecord): string {
  const names = (about?.policy ?? []).map(({ name, version }) => `${name} ${version}`).join(' + ');
  return names === '' ? policy_digest.slice(0, 'sha256:'.length + 12) : names;
}

/** Who asks, for whom, to do what to what. */
function headlineOf(request: ActionRequestRecord, line: (text: string) => string): string {
  const { view, chain } = request;
  const behalf = chain.find((link) => link.role === 'on_behalf_of');
  const forWhom = behalf === undefined ? '' : `, on behalf of ${line(behalf.name)},`;
  const where = request.resolved.environment === undefined ? '' : ` in ${line(request.resolved.environment)}`;
  return `${line(view.actor.id)} (${line(view.actor.type)})${forWhom} asks to run ${line(view.action)} on ${line(view.resource.type)} ${line(view.resource.id)}${where}`;
}

function factsOf(request: ActionRequestRecord, text: (value: string) => string): Card['facts'] {
  const { view, resolved, requester, chain, about } = request;
  const owner = chain.find((link) => link.role === 'key_owner');
  const behalf = chain.find((link) => link.role === 'on_behalf_of');
  const agentOwner = chain.find((link) => link.role === 'agent_owner');
  const labels = Object.entries(resolved.labels);
  const facts: [string, string | undefined][] = [
    ['Asked by', `${view.actor.id} (${view.actor.type}), through API key "${requester.name}"${owner === undefined ? '' : ` of ${owner.name}`}`],
    ['On behalf of', behalf === undefined ? undefined : behalf.name === behalf.ref ? behalf.ref : `${behalf.name} (${behalf.ref})`],
    ['Agent owned by', agentOwner?.name],
    ['Action', view.action],
    ['Resource', `${view.resource.type} ${view.resource.id}`],
    ['Labels', labels.length === 0 ? undefined : labels.map(([label, value]) => `${label}: ${value}`).join(', ')],
    ['Data classes', about?.data_classes?.join(', ')],
    ['Owner of the resource', about?.owner],
    ['Environment', resolved.environment ?? 'not said'],
    ['Reversibility', resolved.reversibility],
    ['Risk (says the caller)', view.context?.risk],
    ['Purpose', view.purpose],
    ['Run', view.context?.run_url],
  ];
  return facts.flatMap(([label, value]) => (value === undefined ? [] : [{ label, value: text(value) }]));
}

/** The link's address in its parsed spelling: a look-alike host shows as punycode. Unparsable ones stay text without a host. */
function linkTarget(url: string): { url: string; host: string } {
  if (!URL.canParse(url)) return { url: '', host: '' };
  const parsed = new URL(url);
  return { url: parsed.href, host: parsed.host };
}

/** Every text that the request brings, names of members too. */
function* stringsIn(value: JsonValue): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (Array.isArray(value)) for (const entry of value) yield* stringsIn(entry);
  else if (typeof value === 'object' && value !== null) {
    for (const [name, entry] of Object.entries(value)) {
      yield name;
      yield* stringsIn(entry);
    }
  }
}

/** JSON on one line where it is short, indented where it is not. */
function readable(value: JsonValue): string {
  const line = JSON.stringify(value);
  return line.length <= 60 ? line : JSON.stringify(value, null, 2);
}

/** Makes text visible and remembers what was found in it. */
function shower() {
  const found = new Map<string, Unseen>();
  const text = (value: string): string => {
    const visible = makeVisible(value);
    for (const entry of visible.found) found.set(entry.codePoint, entry);
    return visible.text;
  };
  return {
    text,
    /** For places of one line: a line break is shown as a mark, so that no value can forge a line. */
    line: (value: string): string => text(value).replaceAll('\n', '⏎'),
    value: (value: JsonValue): string => text(typeof value === 'string' ? value : readable(value)),
    /** What was made visible so far. */
    unseen: (): Unseen[] => [...found.values()],
  };
}
