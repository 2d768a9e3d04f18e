import type { ActionRequest } from '@countersign/contracts';
import { compareText } from '../merge-requirements.js';

/** What of a past request tells how much its approval was worth. */
export type Decided = Pick<ActionRequest, 'id' | 'status' | 'action' | 'environment' | 'created_at' | 'decisions'> & {
  resource: { type: string };
  actor: { id: string };
  evaluation: { rules: string[] };
};

/** How people decided what one rule asked them. Times are in seconds. */
export interface Fatigue {
  rule: string;
  /** Requests that people decided, approved or denied. */
  decided: number;
  denials: number;
  approvers: number;
  /** From opening to the first decision; the middle one. */
  median_seconds: number;
  /** With 95 % confidence fewer than this share of such requests would be denied (exact where none was, else by Wilson's interval). */
  denial_bound: number;
  /** So fast that nobody can have read: the card should say less, or the rule ask less often. */
  rubber_stamped: boolean;
}

/** Requests that are alike and that nobody ever denied. */
export interface Suggestion extends Fatigue {
  action: string;
  resource_type: string;
  environment: string;
  actor: string;
  days: number;
  /** The most of them on one day (UTC). */
  most_a_day: number;
  break_glass: number;
}

/** Below this no decision is read. */
export const RUBBER_STAMP_SECONDS = 5;
/** What makes a cluster worth a suggestion. */
const ENOUGH = { decided: 30, approvers: 2, days: 30 } as const;
const DAY_MS = 86_400_000;

/** Rules by how often they asked people, the most first. */
export function fatigueOf(requests: readonly Decided[]): Fatigue[] {
  return [...groupedBy(decidedOnes(requests), ({ evaluation }) => evaluation.rules)]
    .map(([rule, group]) => fatigue(rule, group))
    .sort((a, b) => b.decided - a.decided || compareText(a.rule, b.rule));
}

/**
 * Clusters (rule, action, type of resource, environment, actor) of which nobody denied any, often enough, over long enough, by several
 * approvers, without emergencies, and decided slowly enough to have been read. Never applied by itself.
 */
export function suggestionsOf(requests: readonly Decided[]): Suggestion[] {
  const key = (request: Decided): string[] =>
    request.evaluation.rules.length === 1 && request.environment !== undefined
      ? [JSON.stringify([request.evaluation.rules[0], request.action, request.resource.type, request.environment, request.actor.id])]
      : // Several rules asked: no exemption from one would spare anybody.
        [];
  return [...groupedBy(decidedOnes(requests), key).values()]
    .flatMap((group): Suggestion[] => {
      const [first] = group;
      if (first?.environment === undefined) return [];
      const times = group.map(({ created_at }) => Date.parse(created_at));
      const perDay = new Map<string, number>();
      for (const { created_at } of group) perDay.set(created_at.slice(0, 10), (perDay.get(created_at.slice(0, 10)) ?? 0) + 1);
      return [
        {
          ...fatigue(first.evaluation.rules[0] ?? '', group),
          action: first.action,
          resource_type: first.resource.type,
          environment: first.environment,
          actor: first.actor.id,
          days: Math.floor((Math.max(...times) - Math.min(...times)) / DAY_MS),
          most_a_day: Math.max(...perDay.values()),
          break_glass: group.filter(({ decisions }) => decisions.some((decision) => decision.break_glass === true)).length,
        },
      ];
    })
    .filter(
      ({ decided, denials, approvers, days, break_glass, rubber_stamped }) =>
        decided >= ENOUGH.decided && denials === 0 && approvers >= ENOUGH.approvers && days >= ENOUGH.days && break_glass === 0 && !rubber_stamped,
    )
    .sort((a, b) => b.decided - a.decided || compareText(a.rule, b.rule) || compareText(a.actor, b.actor));
}

const decidedOnes = (requests: readonly Decided[]): Decided[] => requests.filter(({ decisions }) => decisions.length > 0);

function fatigue(rule: string, group: readonly Decided[]): Fatigue {
  const denials = group.filter(({ decisions }) => decisions.some(({ verdict }) => verdict === 'deny')).length;
  const waits = group.map(
    ({ created_at, decisions }) => (Math.min(...decisions.map(({ decided_at }) => Date.parse(decided_at))) - Date.parse(created_at)) / 1000,
  );
  const median_seconds = median(waits);
  return {
    rule,
    decided: group.length,
    denials,
    approvers: new Set(group.flatMap(({ decisions }) => decisions.filter(({ verdict }) => verdict === 'approve').map(({ person }) => person.id))).size,
    median_seconds,
    denial_bound: denialBound(denials, group.length),
    rubber_stamped: group.length >= ENOUGH.decided && median_seconds < RUBBER_STAMP_SECONDS,
  };
}

/** The one-sided 95 % upper bound of a share: 1 − 0.05^(1/n) where none was seen, else Wilson's. */
export function denialBound(denials: number, of: number): number {
  if (of === 0) return 1;
  if (denials === 0) return 1 - 0.05 ** (1 / of);
  // The 95th percentile of the normal distribution.
  const z = 1.6449;
  const share = denials / of;
  const middle = share + z ** 2 / (2 * of);
  return Math.min(1, (middle + z * Math.sqrt((share * (1 - share)) / of + z ** 2 / (4 * of ** 2))) / (1 + z ** 2 / of));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = [sorted[middle - 1], sorted[middle]];
  return sorted.length % 2 === 0 ? ((low ?? 0) + (high ?? 0)) / 2 : (high ?? 0);
}

function groupedBy<T>(values: readonly T[], keys: (value: T) => readonly string[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    for (const key of keys(value)) {
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [value]);
      else group.push(value);
    }
  }
  return groups;
}
