import type { Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import { literal } from './dialect.js';
import { keyOf, stepsOf } from './paths.js';

const NONE: ReadonlySet<string> = new Set();

/**
 * The paths (by `keyOf`) whose absence makes the expression certainly this truth, so that the opposite truth proves them
 * present: `has(a.b)` is false where b is absent. In `x && y`, what `y` would be false for may be read in `x`, and the other
 * way round, since CEL's `&&` and `||` take an error for nothing where the other side decides.
 */
export function settledByAbsence(node: Expr, truth: boolean): ReadonlySet<string> {
  const { exprKind } = node;
  if (exprKind.case === 'selectExpr') {
    if (!exprKind.value.testOnly || truth) return NONE;
    const steps = stepsOf(node);
    return steps === undefined ? NONE : new Set([keyOf(steps)]);
  }
  if (exprKind.case !== 'callExpr') return NONE;
  const { function: name, args } = exprKind.value;
  const [first, second, third] = args;
  if (first === undefined) return NONE;
  if (name === '!_') return settledByAbsence(first, !truth);
  if (second === undefined) return NONE;
  if (name === '_&&_' || name === '_||_') {
    const [a, b] = [settledByAbsence(first, truth), settledByAbsence(second, truth)];
    return (name === '_&&_') === !truth ? union(a, b) : intersection(a, b);
  }
  if (name === '_?_:_' && third !== undefined) {
    const bySecond = intersection(settledByAbsence(first, true), settledByAbsence(second, truth));
    return union(bySecond, intersection(settledByAbsence(first, false), settledByAbsence(third, truth)));
  }
  if (name === '@in' && !truth) {
    const [steps, key] = [stepsOf(second), literal(first)];
    return steps === undefined || key === undefined ? NONE : new Set([keyOf([...steps, key])]);
  }
  return NONE;
}

export function union(a: ReadonlySet<string>, b: ReadonlySet<string>): ReadonlySet<string> {
  return a.size === 0 ? b : b.size === 0 ? a : new Set([...a, ...b]);
}

function intersection(a: ReadonlySet<string>, b: ReadonlySet<string>): ReadonlySet<string> {
  return a.size === 0 || b.size === 0 ? NONE : new Set([...a].filter((key) => b.has(key)));
}
