import { isCelError, plan, unparse, type CelInput, type CelResult } from '@bufbuild/cel';
import type { Expr, SourceInfo } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import type { Truth } from '../types.js';
import type { Bindings } from './bindings.js';
import { checkDialect, checkSize, literal } from './dialect.js';
import type { CelEngine } from './engine.js';
import { isRoot, RESERVED } from './roots.js';
import { checkTypes } from './types.js';
import { childrenOf, isFault, mapChildren, offsetIn, parseCondition, type ConditionFault } from './syntax.js';

/** One part of a condition that must be true. */
export interface Conjunct {
  /** As its author wrote it, with the names of lets. */
  readonly text: string;
  truth(bindings: Bindings): Truth;
  /** Why it could not be computed, without any value of the request. */
  whyNot(bindings: Bindings): string;
}

/** A compiled condition: it is true where every conjunct is. */
export interface Condition {
  readonly text: string;
  readonly conjuncts: readonly Conjunct[];
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

  /** @param names every let of the bundle, so that conditions may name them. */
  constructor(names: Iterable<string>, engine: CelEngine) {
    this.#names = new Set(names);
    this.#engine = engine;
  }

  /** Takes the lets in; each may name others, whatever their order. Answers with the faults of each by name. */
  declare(lets: ReadonlyMap<string, string>): Map<string, ConditionFault[]> {
    const faults = new Map<string, ConditionFault[]>();
    const parsed = new Map<string, { expr: Expr; sourceInfo: SourceInfo }>();
    for (const [name, source] of lets) {
      if (isRoot(name) || RESERVED.has(name)) faults.set(name, [{ message: `"${name}" is a name of the language`, offset: 0 }]);
      const checked = this.#check(source);
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
      const whole = this.#expand(let_.expr);
      if (typeof whole === 'string') faults.set(name, [{ message: whole, offset: 0 }]);
      else this.#lets.set(name, whole);
      return this.#lets.has(name);
    };
    for (const name of lets.keys()) settle(name);
    return faults;
  }

  compile(source: string): Condition | ConditionFault[] {
    const checked = this.#check(source);
    if (Array.isArray(checked)) return checked;
    const conjuncts: Conjunct[] = [];
    for (const part of conjunctsOf(checked.expr)) {
      const whole = this.#expand(part);
      if (typeof whole === 'string') return [{ message: whole, offset: offsetIn(checked.sourceInfo, part) }];
      const constant = this.#constantFault(whole);
      if (constant !== undefined) return [{ message: constant, offset: offsetIn(checked.sourceInfo, part) }];
      conjuncts.push(this.#conjunct(textOf(part, checked.sourceInfo), whole));
    }
    return { text: source, conjuncts };
  }

  #check(source: string): { expr: Expr; sourceInfo: SourceInfo } | ConditionFault[] {
    const parsed = parseCondition(source);
    if (isFault(parsed)) return [parsed];
    const faults = checkDialect(parsed.expr, parsed.sourceInfo, this.#names);
    const found = faults.length > 0 ? faults : checkTypes(parsed.expr, parsed.sourceInfo, this.#names);
    return found.length > 0 ? found : parsed;
  }

  /** Puts the lets' conditions in the place of their names. The variables of loops never hide a let (the dialect sees to it). */
  #expand(expr: Expr): Expr | string {
    const unknown = [...namesIn(expr, this.#names)].find((name) => !this.#lets.has(name));
    if (unknown !== undefined) return `the let "${unknown}" cannot be used`;
    const replace = (node: Expr): Expr =>
      node.exprKind.case === 'identExpr' ? (this.#lets.get(node.exprKind.value.name) ?? node) : mapChildren(node, replace);
    const whole = replace(expr);
    const size = checkSize(whole);
    return size === undefined ? whole : `with its lets written out, ${size}`;
  }

  /** A literal that its function cannot read, such as timestamp("tomorrow"). */
  #constantFault(root: Expr): string | undefined {
    const todo = [root];
    for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
      const { exprKind } = node;
      if (exprKind.case === 'callExpr' && ['timestamp', 'duration', 'int', 'double'].includes(exprKind.value.function)) {
        const text = literal(exprKind.value.args[0]);
        if (text !== undefined && isCelError(plan(this.#engine.env, node)())) return `${exprKind.value.function} cannot read ${JSON.stringify(text)}`;
      }
      todo.push(...childrenOf(node));
    }
    return undefined;
  }

  #conjunct(text: string, whole: Expr): Conjunct {
    const evaluate: (bindings: Record<string, CelInput>) => CelResult = plan(this.#engine.env, this.#engine.metered(whole));
    const reads = pathsIn(whole);
    return {
      text,
      truth: (bindings) => {
        const result = evaluate(bindings.values);
        return result === true ? 'true' : result === false ? 'false' : 'error';
      },
      whyNot: (bindings) => {
        if (this.#engine.exhausted) return 'its conditions take too long on this request';
        for (const path of reads) {
          const root = path[0] ?? '';
          const withheld = bindings.withheld[root];
          if (withheld !== undefined) return withheld;
          if (isMissing(bindings.values, path)) return `${path.join('.')} is missing`;
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

/** Every `root.member["key"]` that is read, longest form first, except the last step of has(…), which may be missing. */
function pathsIn(root: Expr): string[][] {
  const paths: string[][] = [];
  const visit = (node: Expr): void => {
    const path = pathOf(node);
    if (path !== undefined) paths.push(path);
    else childrenOf(node).forEach(visit);
  };
  visit(root);
  return paths;
}

function pathOf(node: Expr): string[] | undefined {
  const { exprKind } = node;
  if (exprKind.case === 'identExpr') return isRoot(exprKind.value.name) ? [exprKind.value.name] : undefined;
  if (exprKind.case === 'selectExpr' && exprKind.value.operand !== undefined) {
    const of = pathOf(exprKind.value.operand);
    return of === undefined ? undefined : exprKind.value.testOnly ? of : [...of, exprKind.value.field];
  }
  if (exprKind.case === 'callExpr' && exprKind.value.function === '_[_]') {
    const [operand, index] = exprKind.value.args;
    const of = operand === undefined ? undefined : pathOf(operand);
    const key = literal(index);
    return of === undefined || key === undefined ? undefined : [...of, key];
  }
  return undefined;
}

function isMissing(values: Record<string, CelInput>, path: readonly string[]): boolean {
  let value: unknown = values[path[0] ?? ''];
  for (const key of path.slice(1)) value = value instanceof Map ? value.get(key) : undefined;
  return value === undefined;
}
