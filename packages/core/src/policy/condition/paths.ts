import type { Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import { literal } from './dialect.js';
import { isRoot } from './roots.js';
import { childrenOf } from './syntax.js';

/** `root.member["key"]` as its steps; undefined for any other expression. The last step of has(…) is part of it. */
export function stepsOf(node: Expr): string[] | undefined {
  const { exprKind } = node;
  if (exprKind.case === 'identExpr') return [exprKind.value.name];
  if (exprKind.case === 'selectExpr' && exprKind.value.operand !== undefined) {
    const of = stepsOf(exprKind.value.operand);
    return of === undefined ? undefined : [...of, exprKind.value.field];
  }
  if (exprKind.case === 'callExpr' && exprKind.value.function === '_[_]') {
    const [operand, index] = exprKind.value.args;
    const of = operand === undefined ? undefined : stepsOf(operand);
    const key = indexOf(index);
    return of === undefined || key === undefined ? undefined : [...of, key];
  }
  return undefined;
}

/** The key or index of `x["key"]` and `x[0]`. */
function indexOf(index: Expr | undefined): string | undefined {
  const text = literal(index);
  if (text !== undefined || index?.exprKind.case !== 'constExpr') return text;
  const { constantKind } = index.exprKind.value;
  return constantKind.case === 'int64Value' ? String(constantKind.value) : undefined;
}

/** One identity per path, whatever characters its keys have. */
export const keyOf = (steps: readonly string[]): string => JSON.stringify(steps);

/** What a condition reads of the request: the longest paths, each once. `tested`: only has(…) asked for its last step. */
export interface ReadPath {
  readonly steps: readonly string[];
  readonly tested: boolean;
}

export function readsOf(root: Expr): ReadPath[] {
  const reads = new Map<string, ReadPath>();
  const visit = (node: Expr): void => {
    const steps = stepsOf(node);
    const [name] = steps ?? [];
    if (steps !== undefined && name !== undefined && isRoot(name)) {
      const key = keyOf(steps);
      const tested = node.exprKind.case === 'selectExpr' && node.exprKind.value.testOnly;
      if (!reads.has(key) || !tested) reads.set(key, { steps, tested });
      return;
    }
    childrenOf(node).forEach(visit);
  };
  visit(root);
  return [...reads.values()];
}

/** A path as people write it: `resource.labels["a b"]`. */
export function writePath(steps: readonly string[]): string {
  return steps.reduce(
    (text, step, index) =>
      index === 0 ? step : /^[A-Za-z_]\w*$/.test(step) ? `${text}.${step}` : /^\d+$/.test(step) ? `${text}[${step}]` : `${text}[${JSON.stringify(step)}]`,
    '',
  );
}
