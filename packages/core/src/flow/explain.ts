import type { EvaluationView, EvaluationExplanation, ExplainedValue, JsonValue, MaskedValue } from '@countersign/contracts';
import { CoreError } from '../errors.js';
import type { CompiledBundle, Evaluation, ReadValue } from '../policy/index.js';
import type { ActionRequestRecord, MaskedSubmission } from '../ports.js';
import { childPointer, type Digest, digestOf, type Instant, makeVisible, pointerTokens } from '../request/index.js';
import type { FlowDeps } from './deps.js';
import { isInternal } from './internal.js';
import { policyInput } from './open.js';
import { type OpenPayload, openPayload } from './record-key.js';

/** Longer values say no more about a condition; the request itself shows them whole. */
const MAX_VALUE = 200;

/** What an explanation shows besides the evaluation itself. */
export interface ExplainedAs {
  bundle: CompiledBundle;
  evaluation: Evaluation;
  /** What came of it: masking may have raised the effect. */
  judged: Pick<EvaluationView, 'effect' | 'explanation'>;
  at: Instant;
  view: MaskedSubmission;
  masked: readonly MaskedValue[];
}

/** The one structure that says why policy said what it said. Values stand in it as people may see them. */
export function explanationOf(as: ExplainedAs): EvaluationExplanation {
  const { evaluation, view, masked } = as;
  const outline = outlineOf(as);
  return {
    ...outline,
    rules: outline.rules.map((rule, index) => ({
      ...rule,
      // The details have the rules of the outline, in its order.
      conditions: (evaluation.details.rules[index]?.conditions ?? []).map(({ reads, ...condition }) => ({
        ...condition,
        values: reads.map((read) => shownValue(read, view, masked)),
      })),
    })),
  };
}

/** An explanation without the conditions of its rules: how each came out, what decided, under which policy. */
type ExplanationOutline = Omit<EvaluationExplanation, 'rules'> & { rules: Omit<EvaluationExplanation['rules'][number], 'conditions'>[] };

/**
 * What the ledger holds of an explanation: the digest of all of it but the rules' `conditions`. Those follow from the request and
 * the policy, of which the ledger holds the digests too, and cost many times the evaluation; this costs less than it.
 */
export function explanationDigestOf(explanation: EvaluationExplanation): Digest {
  return digestOf({ ...explanation, rules: explanation.rules.map(({ conditions: _conditions, ...rule }) => rule) });
}

/** `explanationDigestOf` of the explanation, which is not made for it. */
export const outlineDigestOf = (as: ExplainedAs): Digest => digestOf(outlineOf(as));

function outlineOf({ bundle, evaluation, judged, at, masked }: ExplainedAs): ExplanationOutline {
  const { outline, resolved, shadow } = evaluation;
  const raised = judged.effect !== evaluation.effect;
  return {
    effect: judged.effect,
    policy_digest: bundle.digest,
    policy: bundle.bundles.map(({ name, version, tier }) => ({ name, version, ...(tier === undefined ? {} : { tier }) })),
    at,
    resolved: { labels: shownLabels(resolved.labels, masked), environment: resolved.environment ?? null, reversibility: resolved.reversibility },
    rules: outline.rules.map((rule) => ({ ...rule, decided: rule.decided && !raised })),
    other_rules: outline.other_rules,
    beside: [
      ...outline.beside.map((say) => ({ ...say, decided: say.decided && !raised })),
      ...(raised ? [{ effect: judged.effect, text: judged.explanation, decided: true }] : []),
    ],
    shadow,
  };
}

/**
 * The explanation of a request as it was opened, computed again from its sealed payload and the bundle that it is pinned to. Null for
 * changes of Countersign's own configuration, of which no bundle speaks, and where the payload was erased.
 */
export async function explainRequest(deps: Pick<FlowDeps, 'policies' | 'sealer'>, request: ActionRequestRecord): Promise<EvaluationExplanation | null> {
  if (isInternal(request)) return null;
  const bundle = await deps.policies.bundle(request.tenant, request.policy_digest);
  const payload = await readable(deps, request);
  if (payload === null) return null;
  // Written by this service from its clock.
  const at = request.created_at as Instant;
  const input = { ...policyInput(payload.submission, request.resolved.environment, at, request.requester), ...payload.circumstances };
  return explanationOf({ bundle, evaluation: bundle.evaluate(input), judged: request.evaluation, at, view: request.view, masked: request.masked });
}

async function readable(deps: Pick<FlowDeps, 'sealer'>, request: ActionRequestRecord): Promise<OpenPayload | null> {
  try {
    return await openPayload(deps.sealer, request);
  } catch (fault) {
    if (fault instanceof CoreError && fault.code === 'payload_unreadable') return null;
    throw fault;
  }
}

function shownValue(read: ReadValue, view: MaskedSubmission, masked: readonly MaskedValue[]): ExplainedValue {
  const { path } = read;
  if ('missing' in read) return { path, value: null };
  if ('known' in read) return { path, value: spell(read.known) };
  if ('derived' in read) {
    return read.from.some((pointer) => isHidden(pointer, masked)) ? { path, value: '(hidden)', masked: true } : { path, value: spell(read.derived) };
  }
  // The view has the request's shape; what was masked is text in it.
  const value = valueAt(view as JsonValue, pointerTokens(read.pointer));
  const hidden = isHidden(read.pointer, masked);
  return { path, value: value === undefined ? (hidden ? '(hidden)' : null) : spell(value), ...(hidden ? { masked: true as const } : {}) };
}

/** A label that the caller added may be masked like any other of its words. */
function shownLabels(labels: Record<string, string>, masked: readonly MaskedValue[]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).map(([label, value]) => [label, isHidden(childPointer('/resource/labels', label), masked) ? '(hidden)' : makeVisible(value).text]),
  );
}

/** Whether a mask lies at the place, under it or above it. */
function isHidden(pointer: string, masked: readonly MaskedValue[]): boolean {
  const place = pointerTokens(pointer);
  return masked.some((entry) => {
    const tokens = pointerTokens(entry.pointer);
    return (
      tokens.slice(0, place.length).every((token, index) => token === place[index]) ||
      place.slice(0, tokens.length).every((token, index) => token === tokens[index])
    );
  });
}

function spell(value: JsonValue): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  // Never half a surrogate pair.
  const shown = text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE).replace(/[\uD800-\uDBFF]$/, '')}…` : text;
  return makeVisible(shown).text;
}

function valueAt(root: JsonValue, tokens: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = root;
  for (const token of tokens) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, token)) return undefined;
    value = (value as { [member: string]: JsonValue })[token];
  }
  return value;
}
