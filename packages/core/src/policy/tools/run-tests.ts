import type { Effect, JsonValue, Requirement } from '@countersign/contracts';
import { instantMillis } from '../bundle/schema-parts.js';
import { valueAt } from '../catalogue.js';
import { compareText } from '../merge-requirements.js';
import type { CompiledBundle, ConditionRole, Evaluation, ExplanationPart, PolicyInput, PolicyTest } from '../types.js';
import { pointerTokens } from '../../request/index.js';

/** One test of a bundle and what came of it. */
export interface PolicyTestResult {
  readonly name: string;
  readonly passed: boolean;
  /** What was expected and did not come, one sentence each. */
  readonly failures: readonly string[];
  readonly effect: Effect;
  readonly rules: readonly string[];
  /** Groups with the people asked of each, over all stages. */
  readonly groups: Readonly<Record<string, number>>;
  readonly shadow: readonly string[];
  readonly explanation: string;
}

/** Whether the tests saw a rule match; a rule in shadow mode counts where it would have. */
export interface RuleCoverage {
  readonly rule: string;
  readonly matched: boolean;
}

/** Whether the tests saw a top-level conjunct come out both ways. */
export interface ConditionCoverage {
  readonly rule: string;
  readonly role: ConditionRole;
  readonly condition: string;
  readonly seenTrue: boolean;
  readonly seenFalse: boolean;
}

/** Shares are whole per cent, rounded down, so that 100 means all. A bundle without rules, or without conditions, is covered. */
export interface PolicyCoverage {
  readonly rules: readonly RuleCoverage[];
  readonly conditions: readonly ConditionCoverage[];
  readonly rulesShare: number;
  readonly conditionsShare: number;
}

export interface PolicyTestReport {
  readonly results: readonly PolicyTestResult[];
  readonly coverage: PolicyCoverage;
  /** Where the coverage is less than the bundle demands, one sentence each. */
  readonly shortfalls: readonly string[];
  /** Every test passed and nothing falls short. */
  readonly passed: boolean;
}

/** The least shares of coverage, in per cent. */
export interface CoverageDemand {
  readonly minRules?: number;
  readonly minConditions?: number;
}

/**
 * Runs the tests that stand in a bundle against it, or others. `demand` adds to what the bundle's own `coverage` demands. Pure; never throws.
 * Where the tests of a rule leave it out by its scope, nothing is seen of its conditions.
 */
export function runPolicyTests(bundle: CompiledBundle, tests: readonly PolicyTest[] = bundle.tests, demand: CoverageDemand = {}): PolicyTestReport {
  const seen = new Coverage(bundle);
  const results = tests.map((test): PolicyTestResult => {
    const input = inputOf(test);
    const evaluation = bundle.evaluate(input);
    seen.add(evaluation);
    return resultOf(test, input, evaluation);
  });
  const coverage = seen.report();
  const shortfalls = shortfallsOf(coverage, bundle, demand);
  return { results, coverage, shortfalls, passed: shortfalls.length === 0 && results.every(({ passed }) => passed) };
}

/** The instant of tests that name none: a Thursday at noon, UTC. */
const NOON = '2026-01-01T12:00:00.000Z';

/** The request of a test, with what it leaves out filled in: a resource that no catalogue knows, and an agent. */
export function inputOf({ request, now, caller, verified, exceeded }: PolicyTest): PolicyInput {
  return {
    ...request,
    resource: request.resource ?? { type: 'test', id: 'test' },
    actor: withoutUndefined(request.actor ?? { type: 'agent', id: 'test' }),
    ...(caller === undefined
      ? {}
      : {
          caller: { type: caller.type ?? 'api_key', id: caller.id, name: caller.name ?? caller.id, issuer: caller.issuer ?? '', claims: caller.claims ?? {} },
        }),
    ...(verified === undefined ? {} : { verified }),
    ...(exceeded === undefined ? {} : { exceeded }),
    now: now === undefined ? NOON : new Date(instantMillis(now)).toISOString(),
  };
}

function withoutUndefined(actor: NonNullable<PolicyTest['request']['actor']>): PolicyInput['actor'] {
  const { type, id, on_behalf_of } = actor;
  return { type, id, ...(on_behalf_of === undefined ? {} : { on_behalf_of }) };
}

function resultOf({ name, expect }: PolicyTest, input: PolicyInput, evaluation: Evaluation): PolicyTestResult {
  const failures: string[] = [];
  const groups = groupsOf(evaluation.requirement);
  const explanation = sentenceOf(evaluation.explanation, input);
  const shadow = evaluation.shadow.rules;
  if (evaluation.environmentConflict !== undefined)
    failures.push(`the catalogue fixes another environment than "${evaluation.environmentConflict.given}": a caller would get 422 environment_mismatch`);
  if (evaluation.effect !== expect.outcome) failures.push(`expected ${expect.outcome}, and it is ${evaluation.effect}`);
  compareLists('rules', expect.rules, evaluation.rules, failures);
  if (expect.groups !== undefined) compareLists('groups', Object.entries(expect.groups).map(quorum), Object.entries(groups).map(quorum), failures);
  compareLists('rules in shadow mode', expect.shadow, shadow, failures);
  if (expect.explanation !== undefined && !explanation.includes(expect.explanation))
    failures.push(`expected an explanation with "${expect.explanation}", and it is "${explanation}"`);
  return { name, passed: failures.length === 0, failures, effect: evaluation.effect, rules: evaluation.rules, groups, shadow, explanation };
}

const quorum = ([group, people]: [string, number]): string => `${group}: ${people}`;

function compareLists(what: string, expected: readonly string[] | undefined, found: readonly string[], failures: string[]): void {
  if (expected === undefined) return;
  const [a, b] = [expected, found].map((list) => [...new Set(list)].sort(compareText).join(', '));
  if (a !== b) failures.push(`expected the ${what} [${a}], and they are [${b}]`);
}

/** How many people of each group are asked, over all stages. */
function groupsOf(requirement: Requirement | null): Record<string, number> {
  const groups = new Map<string, number>();
  for (const { all } of requirement?.stages ?? []) for (const { group, quorum } of all) groups.set(group, (groups.get(group) ?? 0) + quorum);
  return Object.fromEntries([...groups].sort(([a], [b]) => compareText(a, b)));
}

/** The explanation with the test's own values in it: a test hides nothing from its author. */
function sentenceOf(parts: readonly ExplanationPart[], input: PolicyInput): string {
  return parts.map((part) => ('text' in part ? part.text : textOf(valueAt(input, pointerTokens(part.value))))).join('');
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? null);
}

/** What the tests saw of each rule and condition. */
class Coverage {
  readonly #rules: Map<string, { matched: boolean; conditions: { role: ConditionRole; condition: string; seenTrue: boolean; seenFalse: boolean }[] }>;

  constructor(bundle: CompiledBundle) {
    this.#rules = new Map(
      bundle.rules.map(({ id, conditions }) => [
        id,
        { matched: false, conditions: conditions.map(({ role, text }) => ({ role, condition: text, seenTrue: false, seenFalse: false })) },
      ]),
    );
  }

  add({ details }: Evaluation): void {
    for (const { rule, result, conditions } of details.rules) {
      const known = this.#rules.get(rule);
      if (known === undefined) continue;
      known.matched ||= result === 'matched';
      for (const { role, condition, truth } of conditions) {
        for (const each of known.conditions) {
          if (each.role !== role || each.condition !== condition) continue;
          each.seenTrue ||= truth === 'true';
          each.seenFalse ||= truth === 'false';
        }
      }
    }
  }

  report(): PolicyCoverage {
    const rules = [...this.#rules].map(([rule, { matched }]) => ({ rule, matched }));
    const conditions = [...this.#rules].flatMap(([rule, known]) => known.conditions.map((each) => ({ rule, ...each })));
    return {
      rules,
      conditions,
      rulesShare: share(rules.filter(({ matched }) => matched).length, rules.length),
      // Each condition is to be seen twice: true and false.
      conditionsShare: share(
        conditions.reduce((sum, { seenTrue, seenFalse }) => sum + Number(seenTrue) + Number(seenFalse), 0),
        2 * conditions.length,
      ),
    };
  }
}

const share = (part: number, whole: number): number => (whole === 0 ? 100 : Math.floor((100 * part) / whole));

function shortfallsOf(coverage: PolicyCoverage, bundle: CompiledBundle, demand: CoverageDemand): string[] {
  const shortfalls: string[] = [];
  const least = (own: string | number | undefined, more: number | undefined): number => Math.max(percent(own), more ?? 0);
  const [rules, conditions] = [least(bundle.coverage?.min_rules, demand.minRules), least(bundle.coverage?.min_conditions, demand.minConditions)];
  if (coverage.rulesShare < rules) {
    const unseen = coverage.rules.filter(({ matched }) => !matched).map(({ rule }) => rule);
    shortfalls.push(`the tests match ${coverage.rulesShare} % of the rules, and ${rules} % are demanded: no test matches ${unseen.join(', ')}`);
  }
  if (coverage.conditionsShare < conditions) {
    const unseen = coverage.conditions.flatMap(({ rule, role, condition, seenTrue, seenFalse }) => [
      ...(seenTrue ? [] : [`${rule}: ${role} \`${condition}\` is never true`]),
      ...(seenFalse ? [] : [`${rule}: ${role} \`${condition}\` is never false`]),
    ]);
    shortfalls.push(`the tests see ${coverage.conditionsShare} % of the conditions both ways, and ${conditions} % are demanded: ${unseen.join('; ')}`);
  }
  return shortfalls;
}

const percent = (written: string | number | undefined): number =>
  written === undefined ? 0 : typeof written === 'number' ? written : Number(written.slice(0, -1));
