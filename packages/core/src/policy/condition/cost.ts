import type { Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import { literal } from './dialect.js';
import { compileRegex } from './regex.js';
import { childrenOf } from './syntax.js';

/** What lists and texts of a request are taken to measure when a condition's cost is bounded; at run time a budget holds for all of them. */
const ASSUMED_LIST = 100;
const ASSUMED_TEXT = 1_024;

/** Steps that one turn of a loop costs besides its body; the same at run time. */
export const PER_ITERATION = 100;

/** Steps of about 40 ns that all conditions of one evaluation may take together, and one condition by its bound. */
export const BUDGET = 10_000_000;

/** The steps that a condition takes at most on lists of 100 elements and texts of 1,024 characters. */
export function costOf(node: Expr): number {
  const { exprKind } = node;
  switch (exprKind.case) {
    case 'comprehensionExpr': {
      const { iterRange, accuInit, loopCondition, loopStep, result } = exprKind.value;
      const turns = iterRange?.exprKind.case === 'listExpr' ? iterRange.exprKind.value.elements.length : ASSUMED_LIST;
      return of(iterRange) + of(accuInit) + of(result) + turns * (PER_ITERATION + of(loopCondition) + of(loopStep));
    }
    case 'callExpr': {
      const { function: name, args } = exprKind.value;
      const below = childrenOf(node).reduce((sum, child) => sum + costOf(child), 1);
      if (name === 'matches') {
        const regex = compileRegex(literal(args[0]) ?? '');
        return below + ASSUMED_TEXT * (typeof regex === 'string' ? 1 : regex.size);
      }
      if (name === '@in' && args[1]?.exprKind.case !== 'listExpr') return below + ASSUMED_LIST;
      return name === 'contains' ? below + (ASSUMED_TEXT >> 6) : below;
    }
    default:
      return childrenOf(node).reduce((sum, child) => sum + costOf(child), 1);
  }
}

const of = (node: Expr | undefined): number => (node === undefined ? 0 : costOf(node));
