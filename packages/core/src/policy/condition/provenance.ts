import type { Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import { readsOf, stepsOf } from './paths.js';
import { PROVENANCE, type Provenance } from './roots.js';
import { childrenOf } from './syntax.js';

/** The sets of what may be pinned, as bits: 1 the actor, 2 the environment. */
export const pinnedBits = (actor: boolean, environment: boolean): number => (actor ? 1 : 0) + (environment ? 2 : 0);
export const ALL_PINNED = 3;

/** Whether a condition may loosen (allow, exempt) on the word of somebody else than the caller; one answer for each set of bits. */
export type Backing = readonly [boolean, boolean, boolean, boolean];

/**
 * A condition is backed if it reads nothing that is asserted, or if it cannot become true by asserted facts alone: then on
 * every way to true lies a part that reads something verified. `a && b` is backed by either, `a || b` by both.
 *
 * @param environments whether the rule's scope names environments, which is one more part that must hold
 */
export function backingOf(conjuncts: readonly Expr[], environments: boolean): Backing {
  const [none, actor, environment, both] = [0, 1, 2, 3].map((bits) => backed(conjuncts, environments, bits));
  return [none ?? false, actor ?? false, environment ?? false, both ?? false];
}

function backed(conjuncts: readonly Expr[], environments: boolean, bits: number): boolean {
  const of: Vouching = ([root = '', member]) => {
    const provenance = PROVENANCE[root] ?? 'asserted';
    if (provenance !== 'pinned') return provenance;
    // A credential for one actor fixes its id: what kind it is, and on whose behalf it acts, the caller says.
    if (root === 'actor') return (bits & 1) !== 0 && member === 'id' ? 'verified' : 'asserted';
    return (bits & 2) === 0 ? 'asserted' : 'verified';
  };
  const parts = environments ? [of(['environment'])] : [];
  const asserted = parts.includes('asserted') || conjuncts.some((part) => readsOf(part).some(({ steps }) => of(steps) === 'asserted'));
  return !asserted || parts.includes('verified') || conjuncts.some((part) => anchored(part, true, of));
}

/** Who vouches for a path. */
type Vouching = (steps: readonly string[]) => Exclude<Provenance, 'pinned'>;

/** Whether a part that reads something verified lies on every way on which the expression becomes this truth. */
function anchored(node: Expr, truth: boolean, of: Vouching): boolean {
  const { exprKind } = node;
  if (exprKind.case === 'callExpr') {
    const { function: name, args } = exprKind.value;
    if (name === '!_') return args.every((arg) => anchored(arg, !truth, of));
    if (name === '_&&_') return truth ? args.some((arg) => anchored(arg, true, of)) : args.every((arg) => anchored(arg, false, of));
    if (name === '_||_') return truth ? args.every((arg) => anchored(arg, true, of)) : args.some((arg) => anchored(arg, false, of));
    const [test, yes, no] = args;
    if (name === '_?_:_' && test !== undefined && yes !== undefined && no !== undefined)
      return (anchored(test, true, of) || anchored(yes, truth, of)) && (anchored(test, false, of) || anchored(no, truth, of));
  }
  return readsVerified(node, of);
}

function readsVerified(node: Expr, of: Vouching): boolean {
  const steps = stepsOf(node);
  const root = steps?.[0];
  // The type and the id of a resource only name it, as `action` does.
  if (root === 'resource' && (steps?.[1] === 'type' || steps?.[1] === 'id')) return false;
  if (steps !== undefined && root !== undefined && PROVENANCE[root] !== undefined) return of(steps) === 'verified';
  return childrenOf(node).some((child) => readsVerified(child, of));
}
