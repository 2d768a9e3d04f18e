import { childPointer } from '../request/index.js';
import { instantMillis } from './bundle/schema-parts.js';
import type { Report } from './bundle/read-bundle.js';
import type { BundleDocument, RuleDocument } from './bundle/schema.js';
import type { Catalogue } from './catalogue.js';
import type { Condition, ConditionCompiler } from './condition/condition.js';
import { ALL_PINNED, backingOf, type Backing } from './condition/provenance.js';
import type { ConditionFault } from './condition/syntax.js';
import type { TypeScope } from './condition/types.js';
import { isOptional, type MemberType, presentType, type RecordType } from './condition/value-type.js';
import { parseTemplate, type Template } from './explanation.js';
import { compileGlob, isPattern, type Glob } from './globs.js';
import { fold, type CompiledLimit, type CompiledRule } from './judge.js';
import { recordOf } from './parameter-types.js';
import { compileEmergency, compileRequirement, requirementFor, seconds, type PartsOf, type RequirementPlan } from './requirement.js';
import { compileReveal } from './reveal.js';

/** What a rule is compiled against. */
export interface RuleSurroundings {
  readonly bundle: string;
  readonly document: BundleDocument;
  readonly report: Report;
  readonly warn: Report;
  readonly conditions: ConditionCompiler;
  readonly catalogue: Catalogue;
  /** The position of the bundle's tier among those that are there. */
  readonly tier: number;
  readonly windows: RecordType;
  readonly partsOf: PartsOf;
}

/** Rules, each by itself; what they say of each other is checked by `checkReferences`. */
export function compileRules(around: RuleSurroundings): CompiledRule[] {
  return (around.document.rules ?? []).map((rule, index) => compileRule(rule, childPointer('/rules', index), around));
}

function compileRule(rule: RuleDocument, pointer: string, around: RuleSurroundings): CompiledRule {
  const { document, report, warn } = around;
  const scope = typeScope(rule.actions, around);
  const compile = (source: string, at: string): Condition | undefined => compileCondition(source, at, scope, around);
  const inRequire = (source: string, at: string): Condition | undefined => compile(source, at.startsWith('/defaults') ? at : `${pointer}/require${at}`);
  refuseMisfits(rule, pointer, around);
  const plan: RequirementPlan | null =
    rule.effect === 'require'
      ? compileRequirement(rule.require, document.defaults, rule.break_glass, inRequire, around.partsOf)
      : rule.effect === 'deny' && rule.break_glass !== undefined
        ? compileEmergency(rule.break_glass, document.defaults, inRequire, around.partsOf)
        : null;
  if (rule.effect === 'require' && plan === null)
    report(pointer, `the rule "${rule.id}" asks for people and names nobody`, { hint: 'write require with stages, here or under defaults' });
  const when = rule.when === undefined ? undefined : compile(rule.when, `${pointer}/when`);
  const unless = rule.unless === undefined ? undefined : compile(rule.unless, `${pointer}/unless`);
  const backing = {
    when: backingOf(when?.conjuncts.map(({ expr }) => expr) ?? [], rule.environments !== undefined),
    unless: backingOf(unless?.conjuncts.map(({ expr }) => expr) ?? [], false),
  };
  checkBacking(rule, pointer, backing, around);
  if (rule.effect === 'allow' && (rule.expires === undefined || rule.limit === undefined)) {
    const absent = [...(rule.expires === undefined ? ['expires'] : []), ...(rule.limit === undefined ? ['limit'] : [])];
    warn(pointer, `the rule "${rule.id}" allows without ${absent.join(' and ')}`, { hint: 'an end and a count bound what a mistake can cost' });
  }
  const globs = (written: string[] | undefined): Glob[] | undefined => written?.map((source) => compileGlob(rule.effect === 'allow' ? source : fold(source)));
  return {
    id: rule.id,
    effect: rule.effect,
    shadow: rule.mode === 'shadow',
    bundle: around.bundle,
    tier: around.tier,
    resourceTypes: globs(rule.resource_types),
    environments: globs(rule.environments),
    when,
    unless,
    trusts: rule.trust === 'asserted',
    backing,
    exempts: rule.exempts ?? [],
    expires: rule.expires === undefined ? undefined : instantMillis(rule.expires),
    limit: compileLimit(rule, pointer, around),
    explain: compileExplain(rule.explain, `${pointer}/explain`, report),
    plan,
    masks: rule.masks ?? [],
    mustShow: rule.must_show ?? [],
    reveal: compileReveal(rule.reveal),
    info: {
      id: rule.id,
      effect: rule.effect,
      mode: rule.mode ?? 'enforce',
      actions: rule.actions,
      bundle: around.bundle,
      conditions: [
        ...(when?.conjuncts ?? []).map(({ text, expr }) => ({ role: 'when' as const, text, expr })),
        ...(unless?.conjuncts ?? []).map(({ text, expr }) => ({ role: 'unless' as const, text, expr })),
      ],
      cost: [when, unless, ...(plan?.conditions ?? [])].reduce((sum, condition) => sum + (condition?.cost ?? 0), 0),
      requirement: plan === null ? null : requirementFor(plan, () => false),
      document: rule,
    },
  };
}

/** Members that mean nothing beside others. */
function refuseMisfits(rule: RuleDocument, pointer: string, { report }: RuleSurroundings): void {
  const refuse = (member: keyof RuleDocument, message: string): void => report(`${pointer}/${member}`, message, { atKey: true });
  if (rule.effect !== 'require' && rule.require !== undefined) refuse('require', `a rule with the effect ${rule.effect} requires nobody`);
  if (rule.effect === 'allow' && rule.break_glass !== undefined) refuse('break_glass', 'a rule that allows has no glass to break');
  if (rule.mode === 'shadow') {
    if (rule.effect === 'allow') refuse('mode', 'a rule that allows cannot be tried in the shadow, since what it would loosen is never seen');
    if (rule.exempts !== undefined) refuse('exempts', 'a rule in the shadow exempts nobody');
  }
  if (rule.expires !== undefined && rule.effect !== 'allow') refuse('expires', `a rule with the effect ${rule.effect} does not expire`);
  if (rule.limit !== undefined && rule.effect !== 'allow') refuse('limit', 'only a rule that allows has a limit');
  const shown = (rule.masks ?? []).find((path) => rule.must_show?.includes(path));
  if (shown !== undefined) report(`${pointer}/must_show`, `"${shown}" is to be masked and to be shown`);
}

/** A rule that loosens on nothing but the caller's word is a hole; whoever wants it says so. */
function checkBacking(rule: RuleDocument, pointer: string, backing: { when: Backing; unless: Backing }, { report, warn }: RuleSurroundings): void {
  const loosens: ['when' | 'unless', string][] = [];
  if (rule.effect === 'allow') loosens.push(['when', 'the rule allows']);
  else if (rule.exempts !== undefined) loosens.push(['when', 'the rule exempts']);
  if (rule.effect !== 'allow' && rule.unless !== undefined) loosens.push(['unless', 'it exempts']);
  let unbacked = false;
  for (const [member, what] of loosens) {
    const backed = backing[member][ALL_PINNED];
    unbacked ||= !backed;
    if (backed || rule.trust === 'asserted') continue;
    report(`${pointer}/${rule[member] === undefined ? 'environments' : member}`, `${what} on nothing but what the caller says`, {
      hint: 'ask for something verified too (caller, facts, resource.labels, resource.data_classes, windows), or write trust: asserted',
    });
  }
  if (rule.trust === undefined) return;
  if (unbacked) warn(`${pointer}/trust`, `the rule "${rule.id}" believes what the caller says`);
  else if (loosens.length === 0) report(`${pointer}/trust`, 'trust is for rules that allow or exempt', { atKey: true });
}

function compileLimit(rule: RuleDocument, pointer: string, { document, report, warn }: RuleSurroundings): CompiledLimit | undefined {
  const { limit } = rule;
  if (limit === undefined) return undefined;
  const by = limit.by === undefined ? ['caller.id'] : Array.isArray(limit.by) ? limit.by : [limit.by];
  if (limit.on_exceed === 'deny' && limit.exceed_rule !== undefined)
    report(`${pointer}/limit/exceed_rule`, 'a limit that denies asks nobody', { atKey: true, hint: 'write on_exceed: require' });
  if (limit.on_exceed === 'require' && limit.exceed_rule === undefined && document.defaults.require === undefined)
    report(`${pointer}/limit/on_exceed`, 'beyond its limit the rule asks for people, and no one is named', {
      hint: 'write exceed_rule, or defaults.require with stages',
    });
  if (!by.some((path) => path.startsWith('caller.')))
    warn(`${pointer}/limit/by`, `${by.join(' and ')} is what the caller says, and another value begins another count`, { hint: 'count by caller.id too' });
  return { count: limit.count, per_seconds: seconds(limit.per) ?? 60, by, on_exceed: limit.on_exceed, exceedRule: limit.exceed_rule };
}

export function compileCondition(
  source: string,
  pointer: string,
  scope: TypeScope,
  { conditions, report, warn }: Pick<RuleSurroundings, 'conditions' | 'report' | 'warn'>,
): Condition | undefined {
  const { condition, faults, warnings } = conditions.compile(source, scope);
  reportFaults(pointer, faults, report);
  reportFaults(pointer, warnings, warn);
  return condition;
}

export function reportFaults(pointer: string, faults: readonly ConditionFault[], report: Report): void {
  for (const { message, offset, hint } of faults) report(pointer, message, { offset, ...(hint === undefined ? {} : { hint }) });
}

function compileExplain(source: string | undefined, pointer: string, report: Report): Template | undefined {
  if (source === undefined) return undefined;
  const template = parseTemplate(source);
  if (typeof template !== 'string') return template;
  report(pointer, template);
  return undefined;
}

/** What the checker knows of a rule's parameters and facts: all of it only where every one of its actions is written out and declared. */
export function typeScope(actions: readonly string[], { catalogue, tier, windows }: Pick<RuleSurroundings, 'catalogue' | 'tier' | 'windows'>): TypeScope {
  const declared = actions.map((action) => (isPattern(action) ? undefined : catalogue.declared(action, tier)));
  const certain = declared.flatMap((action) => action ?? []);
  const all = certain.length === declared.length;
  const parameters = certain.flatMap((action) => (action.parameters === undefined ? [] : [recordOf(action.parameters)]));
  const kinds = new Map(catalogue.tiers.slice(0, tier + 1).flatMap((each) => [...each.actions.kinds]));
  const facts: Record<string, MemberType> = Object.create(null);
  for (const [name, kind] of kinds) {
    if (all && certain.every((action) => action.facts.has(name))) facts[name] = kind.result;
    // Where some action has them, or may have, has(facts.x) asks.
    else if (!all || certain.some((action) => action.facts.has(name))) facts[name] = { optional: kind.result };
  }
  return {
    parameters: all && parameters.length === declared.length ? unionOf(parameters) : undefined,
    facts: { members: facts },
    windows,
    actions: actions.length === 1 ? `the action ${actions[0] ?? ''}` : `none of the actions ${actions.join(', ')}`,
  };
}

/** What lets may name: every fact that some action has; a rule that uses the let is checked again with its own actions. */
export function letScope({ catalogue, tier, windows }: Pick<RuleSurroundings, 'catalogue' | 'tier' | 'windows'>): TypeScope {
  const kinds = catalogue.tiers.slice(0, tier + 1).flatMap((each) => [...each.actions.kinds]);
  return { parameters: undefined, facts: { members: Object.fromEntries(kinds.map(([name, kind]) => [name, kind.result])) }, windows, actions: 'no action' };
}

/** Of several records: what not all have may be absent, and what they have of different types is anything. */
function unionOf(records: readonly RecordType[]): RecordType {
  const members: Record<string, MemberType> = Object.create(null);
  for (const name of new Set(records.flatMap((record) => Object.keys(record.members)))) {
    const found = records.flatMap((record) => (Object.hasOwn(record.members, name) ? (record.members[name] ?? []) : []));
    const types = found.map(presentType);
    const [first = 'any'] = types;
    const type = types.every((each) => JSON.stringify(each) === JSON.stringify(first)) ? first : 'any';
    members[name] = found.length < records.length || found.some(isOptional) ? { optional: type } : type;
  }
  return { members };
}
