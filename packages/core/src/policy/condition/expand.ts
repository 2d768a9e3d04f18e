import type { Expr, SourceInfo } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import { factName, hasFactName, windowName } from './bindings.js';
import { checkSize, MAX_NODES } from './dialect.js';
import { mapChildren, offsetIn } from './syntax.js';

/** A condition with its lets written out, and where each of its nodes stands in the source: what came by a let, where the let is named. */
export interface Expanded {
  readonly expr: Expr;
  offsetOf(node: Expr): number;
}

/** Puts the lets' conditions in the place of their names. A string says why it cannot be. The variables of loops never hide a let (the dialect sees to it). */
export function expandLets(root: Expr, sourceInfo: SourceInfo, lets: ReadonlyMap<string, Expr>): Expanded | string {
  const offsets = new Map<Expr, number>();
  let nodes = 0;
  const copy = (node: Expr, inside: number | undefined): Expr => {
    if (++nodes > MAX_NODES) return node;
    const offset = inside ?? offsetIn(sourceInfo, node);
    const named = node.exprKind.case === 'identExpr' ? lets.get(node.exprKind.value.name) : undefined;
    // A node of its own for each place, since its offset is that of the place.
    const copied: Expr = named === undefined ? { ...mapChildren(node, (child) => copy(child, inside)) } : copy(named, offset);
    offsets.set(copied, offset);
    return copied;
  };
  const expr = copy(root, undefined);
  const size = nodes > MAX_NODES ? `a condition has at most ${MAX_NODES} parts` : checkSize(expr);
  return size === undefined ? { expr, offsetOf: (node) => offsets.get(node) ?? offsetIn(sourceInfo, node) } : `with its lets written out, ${size}`;
}

/** The same expression with `windows.x` and `facts.x` as names of their own, so that only what is read is computed. */
export function nameComputed(expr: Expr): Expr {
  const { exprKind } = expr;
  if (exprKind.case === 'selectExpr' && exprKind.value.operand?.exprKind.case === 'identExpr') {
    const { field, testOnly, operand } = exprKind.value;
    const root = operand?.exprKind.case === 'identExpr' ? operand.exprKind.value.name : undefined;
    const name = root === 'windows' ? windowName(field) : root === 'facts' ? (testOnly ? hasFactName(field) : factName(field)) : undefined;
    if (name !== undefined) return { ...expr, exprKind: { case: 'identExpr', value: { $typeName: 'cel.expr.Expr.Ident', name } } };
  }
  return mapChildren(expr, nameComputed);
}

/** `facts` and `windows` are read member by member, since they are no values; undefined where they are. */
export function bareRoot(root: Expr): { node: Expr; name: string } | undefined {
  let found: { node: Expr; name: string } | undefined;
  const visit = (node: Expr): Expr => {
    const { exprKind } = node;
    if (exprKind.case === 'identExpr') {
      const { name } = exprKind.value;
      if (name === 'facts' || name === 'windows') found ??= { node, name };
      return node;
    }
    if (exprKind.case === 'selectExpr' && exprKind.value.operand?.exprKind.case === 'identExpr') return node;
    return mapChildren(node, visit);
  };
  visit(root);
  return found;
}
