import { parse } from '@bufbuild/cel';
import type { Expr, SourceInfo } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import type { Hint } from '../nearest-name.js';

/** The longest condition, in UTF-16 units. */
export const MAX_SOURCE = 4096;
/** Opening brackets of any kind: the parser recurses on each, and thousands would end its stack before it could answer. */
const MAX_BRACKETS = 256;

/** Something wrong in a condition; `offset` counts UTF-16 units from its beginning. */
export interface ConditionFault {
  message: string;
  offset: number;
  hint?: Hint;
}

export interface Syntax {
  expr: Expr;
  sourceInfo: SourceInfo;
}

/** Parses CEL, having looked at its size first. */
export function parseCondition(source: string): Syntax | ConditionFault {
  if (source.length > MAX_SOURCE) return { message: `a condition has at most ${MAX_SOURCE} characters`, offset: 0 };
  let brackets = 0;
  for (let offset = 0; offset < source.length; offset++) {
    const letter = source[offset];
    // Brackets in strings count too: telling them apart would be a second parser, and 256 are plenty.
    if ((letter === '(' || letter === '[' || letter === '{') && ++brackets > MAX_BRACKETS)
      return { message: `a condition has at most ${MAX_BRACKETS} opening brackets`, offset };
  }
  if (source.includes('__result__')) return { message: 'the name __result__ is reserved', offset: source.indexOf('__result__') };
  try {
    const { expr, sourceInfo } = parse(source);
    if (sourceInfo === undefined) return { message: 'the condition cannot be read', offset: 0 };
    return { expr, sourceInfo };
  } catch (fault) {
    if (fault instanceof RangeError) return { message: 'the condition is nested too deep', offset: 0 };
    const offset = offsetOf(fault);
    const near = source.slice(offset, offset + 20).split('\n')[0] ?? '';
    return { message: near === '' ? 'the condition ends too early' : `the condition is not CEL at \`${near}\``, offset };
  }
}

export function isFault(parsed: Syntax | ConditionFault): parsed is ConditionFault {
  return 'message' in parsed;
}

/** Where a node stands in the source. */
export function offsetIn(sourceInfo: SourceInfo, expr: Expr): number {
  return sourceInfo.positions[String(expr.id)] ?? 0;
}

/** The peggy parser's errors carry `location.start.offset`; its types do not say so. */
function offsetOf(fault: unknown): number {
  if (typeof fault !== 'object' || fault === null || !('location' in fault)) return 0;
  const { location } = fault;
  if (typeof location !== 'object' || location === null || !('start' in location)) return 0;
  const { start } = location;
  return typeof start === 'object' && start !== null && 'offset' in start && typeof start.offset === 'number' ? start.offset : 0;
}

/** The nodes directly below a node, in no particular order. */
export function childrenOf(expr: Expr): Expr[] {
  const { exprKind } = expr;
  const present = (nodes: readonly (Expr | undefined)[]): Expr[] => nodes.filter((node) => node !== undefined);
  switch (exprKind.case) {
    case 'selectExpr':
      return present([exprKind.value.operand]);
    case 'callExpr':
      return present([exprKind.value.target, ...exprKind.value.args]);
    case 'listExpr':
      return exprKind.value.elements;
    case 'structExpr':
      return present(exprKind.value.entries.flatMap((entry) => [entry.value, ...(entry.keyKind.case === 'mapKey' ? [entry.keyKind.value] : [])]));
    case 'comprehensionExpr': {
      const { iterRange, accuInit, loopCondition, loopStep, result } = exprKind.value;
      return present([iterRange, accuInit, loopCondition, loopStep, result]);
    }
    default:
      return [];
  }
}

/** The same node with other children; `change` is applied to each child. */
export function mapChildren(expr: Expr, change: (child: Expr) => Expr): Expr {
  const { exprKind } = expr;
  const maybe = (child: Expr | undefined): { value?: Expr } => (child === undefined ? {} : { value: change(child) });
  switch (exprKind.case) {
    case 'selectExpr': {
      const operand = maybe(exprKind.value.operand).value;
      return { ...expr, exprKind: { case: 'selectExpr', value: { ...exprKind.value, ...(operand === undefined ? {} : { operand }) } } };
    }
    case 'callExpr': {
      const target = maybe(exprKind.value.target).value;
      return {
        ...expr,
        exprKind: { case: 'callExpr', value: { ...exprKind.value, ...(target === undefined ? {} : { target }), args: exprKind.value.args.map(change) } },
      };
    }
    case 'listExpr':
      return { ...expr, exprKind: { case: 'listExpr', value: { ...exprKind.value, elements: exprKind.value.elements.map(change) } } };
    case 'comprehensionExpr': {
      const fold = exprKind.value;
      const changed = Object.fromEntries(
        (['iterRange', 'accuInit', 'loopCondition', 'loopStep', 'result'] as const).flatMap((part) => {
          const child = fold[part];
          return child === undefined ? [] : [[part, change(child)]];
        }),
      );
      return { ...expr, exprKind: { case: 'comprehensionExpr', value: { ...fold, ...changed } } };
    }
    default:
      return expr;
  }
}
