import type { Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import { literal } from '../../condition/dialect.js';
import { keyOf, stepsOf } from '../../condition/paths.js';
import { childrenOf } from '../../condition/syntax.js';

export type Constant = string | number | boolean;

/** What one comparison demands of the value at a path, all of it decidable. A path by its steps' key (`keyOf`). */
export type Atom =
  | { path: string; kind: 'in' | 'not_in'; values: readonly Constant[] }
  | { path: string; kind: 'less' | 'greater'; than: number; orEqual: boolean }
  | { path: string; kind: 'prefix' | 'not_prefix'; text: string }
  | { path: string; kind: 'present' | 'absent' }
  /** Anything else: it may be true and may be false. `text` tells equal ones. */
  | { path: null; kind: 'opaque'; text: string; negated: boolean };

/** All of these hold at once. */
export type Conjunction = readonly Atom[];

/** More alternatives than this are not looked at: the condition then counts as one that may be anything. */
const MOST = 128;

/**
 * A condition as alternatives of conjunctions (disjunctive normal form): it is true exactly where one of them holds. Null where they are too
 * many. An alternative may hold an opaque atom, so that its truth is not known.
 */
export function alternativesOf(expr: Expr, truth = true): Conjunction[] | null {
  const { exprKind } = expr;
  if (exprKind.case === 'constExpr' && exprKind.value.constantKind.case === 'boolValue') return exprKind.value.constantKind.value === truth ? [[]] : [];
  if (exprKind.case === 'callExpr') {
    const { function: name, args } = exprKind.value;
    const [first, second] = args;
    if (name === '!_' && first !== undefined) return alternativesOf(first, !truth);
    if ((name === '_&&_' || name === '_||_') && first !== undefined && second !== undefined) {
      const [a, b] = [alternativesOf(first, truth), alternativesOf(second, truth)];
      return (name === '_&&_') === truth ? allOf([a, b]) : anyOf([a, b]);
    }
  }
  const atoms = comparison(expr, truth) ?? [{ path: null, kind: 'opaque' as const, text: textOf(expr), negated: !truth }];
  return [atoms];
}

/** True where every one of them is. */
export function allOf(parts: readonly (Conjunction[] | null)[]): Conjunction[] | null {
  let all: Conjunction[] = [[]];
  for (const part of parts) {
    if (part === null || all.length * part.length > MOST) return null;
    all = all.flatMap((left) => part.map((right) => [...left, ...right]));
  }
  return all;
}

/** True where one of them is. */
export function anyOf(parts: readonly (Conjunction[] | null)[]): Conjunction[] | null {
  const any: Conjunction[] = [];
  for (const part of parts) {
    if (part === null || any.length + part.length > MOST) return null;
    any.push(...part);
  }
  return any;
}

/** The comparison of a path with a literal; null for what is none. */
function comparison(expr: Expr, truth: boolean): Atom[] | null {
  const { exprKind } = expr;
  const own = stepsOf(expr);
  if (own !== undefined) {
    const path = keyOf(own);
    if (exprKind.case === 'selectExpr' && exprKind.value.testOnly) return [{ path, kind: truth ? 'present' : 'absent' }];
    return [{ path, kind: 'in', values: [truth] }];
  }
  if (exprKind.case !== 'callExpr') return null;
  const { function: name, args, target } = exprKind.value;
  if (name === 'startsWith') {
    const [steps, text] = [target === undefined ? undefined : stepsOf(target), literal(args[0])];
    return steps === undefined || text === undefined ? null : [{ path: keyOf(steps), kind: truth ? 'prefix' : 'not_prefix', text }];
  }
  const [left, right] = args;
  if (left === undefined || right === undefined) return null;
  if (name === '@in') return membership(left, right, truth);
  const [steps, constant] = [stepsOf(left), constantOf(right)];
  if (steps !== undefined && constant !== undefined) return relation(keyOf(steps), name, constant, truth);
  const [turned, other] = [stepsOf(right), constantOf(left)];
  return turned === undefined || other === undefined ? null : relation(keyOf(turned), TURNED[name] ?? name, other, truth);
}

const TURNED: Readonly<Record<string, string>> = { '_<_': '_>_', '_<=_': '_>=_', '_>_': '_<_', '_>=_': '_<=_' };
const NEGATED: Readonly<Record<string, string>> = { '_<_': '_>=_', '_<=_': '_>_', '_>_': '_<=_', '_>=_': '_<_', '_==_': '_!=_', '_!=_': '_==_' };

function relation(path: string, name: string, constant: Constant, truth: boolean): Atom[] | null {
  const operator = truth ? name : NEGATED[name];
  switch (operator) {
    case '_==_':
      return [{ path, kind: 'in', values: [constant] }];
    case '_!=_':
      return [{ path, kind: 'not_in', values: [constant] }];
    case '_<_':
    case '_<=_':
      return typeof constant === 'number' ? [{ path, kind: 'less', than: constant, orEqual: operator === '_<=_' }] : null;
    case '_>_':
    case '_>=_':
      return typeof constant === 'number' ? [{ path, kind: 'greater', than: constant, orEqual: operator === '_>=_' }] : null;
    default:
      return null;
  }
}

function membership(left: Expr, right: Expr, truth: boolean): Atom[] | null {
  const steps = stepsOf(left);
  if (steps !== undefined && right.exprKind.case === 'listExpr') {
    const values = right.exprKind.value.elements.map(constantOf);
    if (values.some((value) => value === undefined)) return null;
    return [{ path: keyOf(steps), kind: truth ? 'in' : 'not_in', values: values.filter((value) => value !== undefined) }];
  }
  return null;
}

function constantOf(expr: Expr): Constant | undefined {
  const { exprKind } = expr;
  if (exprKind.case === 'callExpr' && exprKind.value.function === '-_') {
    const value = exprKind.value.args[0] === undefined ? undefined : constantOf(exprKind.value.args[0]);
    return typeof value === 'number' ? -value : undefined;
  }
  if (exprKind.case !== 'constExpr') return undefined;
  const { constantKind } = exprKind.value;
  switch (constantKind.case) {
    case 'stringValue':
    case 'boolValue':
    case 'doubleValue':
      return constantKind.value;
    case 'int64Value':
      // Conditions compare JSON's doubles: beyond 2^53 two integers could look alike.
      return Number.isSafeInteger(Number(constantKind.value)) ? Number(constantKind.value) : undefined;
    default:
      return undefined;
  }
}

/** One text for what is written alike, wherever it stands. */
function textOf(expr: Expr): string {
  const { exprKind } = expr;
  const inner = childrenOf(expr).map(textOf).join(',');
  switch (exprKind.case) {
    case 'constExpr':
      return constantText(exprKind.value.constantKind);
    case 'identExpr':
      return exprKind.value.name;
    case 'selectExpr':
      return `${exprKind.value.testOnly ? 'has' : 'of'}(${inner}).${exprKind.value.field}`;
    case 'callExpr':
      return `${exprKind.value.function}(${inner})`;
    case 'comprehensionExpr':
      return `fold ${exprKind.value.iterVar} ${exprKind.value.iterVar2} ${exprKind.value.accuVar}(${inner})`;
    default:
      return `${String(exprKind.case)}(${inner})`;
  }
}

function constantText({ case: kind, value }: { case: string | undefined; value?: unknown }): string {
  return `${kind ?? ''}:${typeof value === 'bigint' ? value.toString() : (JSON.stringify(value) ?? '')}`;
}
