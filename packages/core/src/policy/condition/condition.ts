import { isCelError, plan, unparse, type CelInput, type CelResult } from '@bufbuild/cel';
import type { Expr, SourceInfo } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import type { Truth } from '../types.js';
import { factName, windowName, type Bindings } from './bindings.js';
import { BUDGET, costOf } from './cost.js';
import { checkDialect, literal } from './dialect.js';
import type { CelEngine } from './engine.js';
import { bareRoot, expandLets, nameComputed, type Expanded } from './expand.js';
import { readsOf, writePath, type ReadPath } from './paths.js';
import { isRoot, RESERVED } from './roots.js';
import { childrenOf, isFault, offsetIn, parseCondition, type ConditionFault } from './syntax.js';
import { checkTypes, type TypeFindings, type TypeScope } from './types.js';

/** One part of a condition that must be true. */
export interface Conjunct {
  /** As its author wrote it, with the names of lets. */
  readonly text: string;
  /** With the lets written out. */
  readonly expr: Expr;
  /** What it reads of the request. */
  readonly reads: readonly ReadPath[];
  truth(bindings: Bindings): Truth;
  /** Why it could not be computed, without any value of the request. */
  whyNot(bindings: Bindings): string;
}

/** A compiled condition: it is true where every conjunct is. */
export interface Condition {
  readonly text: string;
  readonly conjuncts: readonly Conjunct[];
  /** Its static bound, in steps. */
  readonly cost: number;
}

/** What came of compiling: the condition where there are no faults, and what its author should know. */
export interface Compilation extends TypeFindings {
  condition: Condition | undefined;
}

/**
 * The truth of a conjunction: false where one part is, else an error where one part is, else true. So an error counts
 * only where it could change the answer, as in CEL's own `&&`.
 */
export function conjunction(conjuncts: readonly Conjunct[], bindings: Bindings): Truth {
  let truth: Truth = 'true';
  for (const conjunct of conjuncts) {
    const part = conjunct.truth(bindings);
    if (part === 'false') return 'false';
    if (part === 'error') truth = 'error';
  }
  return truth;
}

/** Compiles the conditions of one bundle. */
export class ConditionCompiler {
  readonly #lets = new Map<string, Expr>();
  readonly #names: ReadonlySet<string>;
  readonly #engine: CelEngine;

  /** @param names every let that the bundle may name */
  constructor(names: Iterable<string>, engine: CelEngine, inherited?: ConditionCompiler) {
    this.#names = new Set([...(inherited === undefined ? [] : inherited.#lets.keys()), ...names]);
    for (const [name, expr] of inherited === undefined ? [] : inherited.#lets) this.#lets.set(name, expr);
    this.#engine = engine;
  }

  /** Whether there is a let of this name that can be used. */
  has(name: string): boolean {
    return this.#lets.has(name);
  }

  /** Takes the lets in; each may name others, whatever their order. Answers with the faults of each by name. */
  declare(lets: ReadonlyMap<string, string>, scope: TypeScope): Map<string, ConditionFault[]> {
    const faults = new Map<string, ConditionFault[]>();
    const parsed = new Map<string, { expr: Expr; sourceInfo: SourceInfo }>();
    for (const [name, source] of lets) {
      if (isRoot(name) || RESERVED.has(name)) faults.set(name, [{ message: `"${name}" is a name of the language`, offset: 0 }]);
      const checked = this.#parse(source);
      if (Array.isArray(checked)) faults.set(name, [...(faults.get(name) ?? []), ...checked]);
      else parsed.set(name, checked);
    }
    const open = new Set<string>();
    const settle = (name: string): boolean => {
      if (this.#lets.has(name)) return true;
      const let_ = parsed.get(name);
      if (let_ === undefined || faults.has(name)) return false;
      if (open.has(name)) {
        faults.set(name, [{ message: `"${name}" is defined by itself`, offset: 0 }]);
        return false;
      }
      open.add(name);
      const named = namesIn(let_.expr, this.#names);
      const settled = [...named].every(settle);
      open.delete(name);
      if (!settled) {
        if (!faults.has(name)) faults.set(name, [{ message: 'it names a let that cannot be used', offset: 0 }]);
        return false;
      }
      const whole = this.#expand(let_.expr, let_.sourceInfo);
      const problems = 'message' in whole ? [whole] : checkTypes(whole.expr, (node) => whole.offsetOf(node), scope).faults;
      if (problems.length > 0) faults.set(name, problems);
      else if (!('message' in whole)) this.#lets.set(name, whole.expr);
      return this.#lets.has(name);
    };
    for (const name of lets.keys()) settle(name);
    return faults;
  }

  compile(source: string, scope: TypeScope): Compilation {
    const failed = (faults: ConditionFault[], warnings: ConditionFault[] = []): Compilation => ({ condition: undefined, faults, warnings });
    const checked = this.#parse(source);
    if (Array.isArray(checked)) return failed(checked);
    const { expr, sourceInfo } = checked;
    const whole = this.#expand(expr, sourceInfo);
    if ('message' in whole) return failed([whole]);
    const { faults, warnings } = checkTypes(whole.expr, (node) => whole.offsetOf(node), scope);
    if (faults.length > 0) return failed(faults, warnings);
    const constant = this.#constantFault(whole);
    if (constant !== undefined) return failed([constant]);
    const cost = costOf(whole.expr);
    if (cost > BUDGET)
      return failed([
        {
          message: `the condition can take ${Math.ceil(cost / BUDGET)} times as long as it may, on lists of 100 elements`,
          offset: 0,
          hint: 'loop once, and shorten regular expressions in loops',
        },
      ]);
    const conjuncts: Conjunct[] = [];
    for (const part of conjunctsOf(expr)) {
      const own = this.#expand(part, sourceInfo);
      if ('message' in own) return failed([own]);
      conjuncts.push(this.#conjunct(textOf(part, sourceInfo), own.expr));
    }
    return { condition: { text: source, conjuncts, cost }, faults: [], warnings };
  }

  #parse(source: string): { expr: Expr; sourceInfo: SourceInfo } | ConditionFault[] {
    const parsed = parseCondition(source);
    if (isFault(parsed)) return [parsed];
    const faults = checkDialect(parsed.expr, parsed.sourceInfo, this.#names);
    if (faults.length > 0) return faults;
    const bare = bareRoot(parsed.expr);
    if (bare === undefined) return parsed;
    return [
      {
        message: `"${bare.name}" is read member by member`,
        offset: offsetIn(parsed.sourceInfo, bare.node),
        hint: bare.name === 'facts' ? 'write facts.sql.writes, or has(facts.sql)' : 'write windows.<name>',
      },
    ];
  }

  #expand(expr: Expr, sourceInfo: SourceInfo): Expanded | ConditionFault {
    const unknown = [...namesIn(expr, this.#names)].find((name) => !this.#lets.has(name));
    if (unknown !== undefined) return { message: `the let "${unknown}" cannot be used`, offset: 0 };
    const expanded = expandLets(expr, sourceInfo, this.#lets);
    return typeof expanded === 'string' ? { message: expanded, offset: offsetIn(sourceInfo, expr) } : expanded;
  }

  /** A literal that its function cannot read, such as timestamp("tomorrow"). */
  #constantFault(root: Expanded): ConditionFault | undefined {
    const todo = [root.expr];
    for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
      const { exprKind } = node;
      if (exprKind.case === 'callExpr' && ['timestamp', 'duration', 'int', 'double'].includes(exprKind.value.function)) {
        const text = literal(exprKind.value.args[0]);
        if (text !== undefined && isCelError(plan(this.#engine.env, node)()))
          return { message: `${exprKind.value.function} cannot read ${JSON.stringify(text)}`, offset: root.offsetOf(node) };
      }
      todo.push(...childrenOf(node));
    }
    return undefined;
  }

  #conjunct(text: string, whole: Expr): Conjunct {
    const evaluate: (bindings: Record<string, CelInput>) => CelResult = plan(this.#engine.env, this.#engine.metered(nameComputed(whole)));
    const reads = readsOf(whole);
    return {
      text,
      expr: whole,
      reads,
      truth: (bindings) => {
        const result = evaluate(bindings.values);
        return result === true ? 'true' : result === false ? 'false' : 'error';
      },
      whyNot: (bindings) => {
        if (this.#engine.exhausted) return 'its conditions take too long on this request';
        for (const { steps, tested } of reads) {
          const path = tested ? steps.slice(0, -1) : steps;
          const [root = '', member = ''] = path;
          const withheld = bindings.withheld[root === 'facts' ? factName(member) : root];
          if (withheld !== undefined) return withheld;
          if (isMissing(bindings.values, path)) return `${writePath(path)} is missing`;
        }
        return `\`${text}\` cannot be computed from the values of this request`;
      },
    };
  }
}

/** The parts of `a && b && c`, left to right. */
function conjunctsOf(expr: Expr): Expr[] {
  const { exprKind } = expr;
  return exprKind.case === 'callExpr' && exprKind.value.function === '_&&_' ? exprKind.value.args.flatMap(conjunctsOf) : [expr];
}

function textOf(expr: Expr, sourceInfo: SourceInfo): string {
  return unparse({ $typeName: 'cel.expr.ParsedExpr', expr, sourceInfo });
}

function namesIn(root: Expr, wanted: ReadonlySet<string>): Set<string> {
  const names = new Set<string>();
  const todo = [root];
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    if (node.exprKind.case === 'identExpr' && wanted.has(node.exprKind.value.name)) names.add(node.exprKind.value.name);
    todo.push(...childrenOf(node));
  }
  return names;
}

function isMissing(values: Record<string, CelInput>, path: readonly string[]): boolean {
  const [root = '', member = '', ...rest] = path;
  if (root === 'facts' || root === 'windows') {
    if (path.length < 2) return false;
    return valueAt(values[root === 'facts' ? factName(member) : windowName(member)], rest) === undefined;
  }
  return valueAt(values[root], path.slice(1)) === undefined;
}

function valueAt(root: unknown, steps: readonly string[]): unknown {
  let value = root;
  for (const step of steps) value = value instanceof Map ? value.get(step) : Array.isArray(value) && /^\d+$/.test(step) ? value[Number(step)] : undefined;
  return value;
}
