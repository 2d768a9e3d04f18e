import { CoreError } from '../errors.js';
import type { MaskPath } from './mask-plan.js';

type Step = { readonly kind: 'member'; readonly name: string } | { readonly kind: 'any' } | { readonly kind: 'deep' };

/** Where the walk is in every path: for each path the steps that are already behind it. */
export interface PathState {
  readonly steps: readonly Step[];
  readonly done: number;
}

/**
 * Reads the paths of a plan.
 * @throws CoreError `invalid_argument` for a path that is not in the grammar of MaskPath: nothing is masked by a path that nobody understands.
 */
export function startPaths(paths: readonly MaskPath[]): PathState[] {
  return paths.flatMap((path) => reachable({ steps: parsePath(path), done: 0 }));
}

/** The states one member or element further down. */
export function descend(states: readonly PathState[], token: string): PathState[] {
  const next = new Map<readonly Step[], Set<number>>();
  const result: PathState[] = [];
  for (const { steps, done } of states) {
    const step = steps[done];
    if (step === undefined || (step.kind === 'member' && step.name !== token)) continue;
    const reached =
      step.kind === 'deep'
        ? [...(done === steps.length - 1 ? [{ steps, done: steps.length }] : []), ...reachable({ steps, done })]
        : reachable({ steps, done: done + 1 });
    for (const state of reached) {
      const seen = next.get(steps) ?? new Set();
      next.set(steps, seen);
      if (!seen.has(state.done)) result.push(state);
      seen.add(state.done);
    }
  }
  return result;
}

/** Whether some path ends here. */
export function isNamed(states: readonly PathState[]): boolean {
  return states.some(({ steps, done }) => done === steps.length);
}

/** `**` also stands for no level at all, except at the end: `context.**` is what lies below context. */
function reachable(state: PathState): PathState[] {
  const states = [state];
  for (let done = state.done; state.steps[done]?.kind === 'deep' && done < state.steps.length - 1; done++) states.push({ steps: state.steps, done: done + 1 });
  return states;
}

function parsePath(path: MaskPath): Step[] {
  const steps: Step[] = [];
  const token = /(?:(?<dot>\.)?(?<name>[^.[\]"]+))|\[(?<index>\*|\d{1,9})\]|\[(?<quoted>"(?:[^"\\]|\\.)*")\]/y;
  while (token.lastIndex < path.length) {
    const start = token.lastIndex;
    const groups = token.exec(path)?.groups;
    if (groups === undefined || (groups['name'] !== undefined && (groups['dot'] === undefined) !== (start === 0))) {
      throw new CoreError('invalid_argument', `the mask path ${JSON.stringify(path)} is not understood at position ${start}`);
    }
    const name = groups['name'] ?? groups['index'];
    if (name === '**') steps.push({ kind: 'deep' });
    else if (name === '*') steps.push({ kind: 'any' });
    else steps.push({ kind: 'member', name: name ?? unquote(path, groups['quoted'] ?? '') });
  }
  if (steps.length === 0) throw new CoreError('invalid_argument', 'a mask path is empty');
  return steps;
}

function unquote(path: MaskPath, quoted: string): string {
  try {
    return String(JSON.parse(quoted));
  } catch (cause) {
    throw new CoreError('invalid_argument', `the mask path ${JSON.stringify(path)} has a quoted member that is no JSON string`, { cause });
  }
}
