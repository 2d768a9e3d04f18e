import type { Expr, SourceInfo } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import { didYouMean, type Hint } from '../nearest-name.js';
import { compileRegex } from './regex.js';
import { isRoot, RESERVED, ROOTS } from './roots.js';
import { childrenOf, offsetIn, type ConditionFault } from './syntax.js';

export const MAX_NODES = 500;
const MAX_DEPTH = 32;
const MAX_COMPREHENSIONS = 2;
const MAX_LIST = 200;

/** Function → how it is called: numbers of arguments as a function and as a method. */
const FUNCTIONS: ReadonlyMap<string, { function?: readonly number[]; method?: readonly number[] }> = new Map([
  ...calls({ function: [2] }, '_&&_ _||_ _==_ _!=_ _<_ _<=_ _>_ _>=_ _+_ _-_ _*_ _/_ _%_ @in _[_]'),
  ...calls({ function: [1] }, '!_ -_ @not_strictly_false int double string timestamp duration'),
  ...calls({ function: [3] }, '_?_:_'),
  ...calls({ method: [1] }, 'startsWith endsWith contains matches'),
  ...calls({ method: [0] }, 'lowerAscii'),
  ...calls({ function: [1], method: [0] }, 'size'),
  ...calls({ method: [0, 1] }, 'getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear getHours getMinutes getSeconds'),
]);
const MACROS = ['has', 'exists', 'all', 'exists_one', 'filter', 'map'];

/**
 * Holds a parsed condition against what the language allows: names, functions, literals and sizes. What passes can be
 * planned and run in bounded time; what the CEL library offers beyond it (types, protobuf messages, bytes) does not exist here.
 */
export function checkDialect(expr: Expr, sourceInfo: SourceInfo, lets: ReadonlySet<string>): ConditionFault[] {
  const faults: ConditionFault[] = [];
  const refuse = (at: Expr, message: string, more: { hint?: Hint } = {}): void => void faults.push({ message, offset: offsetIn(sourceInfo, at), ...more });
  const sized = checkSize(expr);
  if (sized !== undefined) return [{ message: sized, offset: 0 }];

  const visit = (node: Expr, variables: ReadonlySet<string>, folds: number): void => {
    const { exprKind } = node;
    let [inner, innerFolds] = [variables, folds];
    switch (exprKind.case) {
      case 'identExpr': {
        const { name } = exprKind.value;
        if (!variables.has(name) && !isRoot(name) && !lets.has(name))
          refuse(
            node,
            `the name "${name}" is not known`,
            didYouMean(name, () => [...Object.keys(ROOTS), ...lets, ...variables].filter((known) => !known.startsWith('__'))),
          );
        break;
      }
      case 'constExpr': {
        const kind = exprKind.value.constantKind.case;
        if (kind === 'bytesValue' || kind === 'uint64Value') refuse(node, 'bytes and unsigned numbers are not part of the language');
        break;
      }
      case 'structExpr':
        refuse(node, 'maps and messages cannot be written in a condition');
        return;
      case 'selectExpr':
        break;
      case 'listExpr':
        if (exprKind.value.elements.length > MAX_LIST) refuse(node, `a list in a condition has at most ${MAX_LIST} elements`);
        break;
      case 'callExpr': {
        const { function: name, target, args } = exprKind.value;
        const known = FUNCTIONS.get(name);
        const shape = target === undefined ? known?.function : known?.method;
        if (shape === undefined)
          refuse(
            node,
            `the function "${name}" is not known${known === undefined ? '' : target === undefined ? ' without a value before it' : ' as a method'}`,
            known === undefined ? didYouMean(name, () => [...FUNCTIONS.keys(), ...MACROS].filter((each) => /^[a-z]/i.test(each))) : {},
          );
        else if (!shape.includes(args.length)) refuse(node, `"${name}" takes ${shape.join(' or ')} argument${shape.length === 1 && shape[0] === 1 ? '' : 's'}`);
        else if (name === 'matches') {
          const fault = regexFault(args[0]);
          if (fault !== undefined) refuse(args[0] ?? node, fault);
        } else if (name.startsWith('get') && args[0] !== undefined) {
          const zone = literal(args[0]);
          if (zone === undefined || !isTimeZone(zone)) refuse(args[0], 'a time zone is a literal IANA name such as "Europe/Berlin"');
        }
        // A search through a list is a loop too.
        if (name === '@in' && args[1]?.exprKind.case !== 'listExpr' && folds >= MAX_COMPREHENSIONS)
          refuse(node, `loops are nested more than ${MAX_COMPREHENSIONS} deep`);
        break;
      }
      case 'comprehensionExpr': {
        const { iterVar, accuVar, iterRange } = exprKind.value;
        if (isRoot(iterVar) || lets.has(iterVar) || RESERVED.has(iterVar))
          refuse(node, `the variable "${iterVar}" hides another name`, { hint: 'give it a name of its own' });
        if (folds >= MAX_COMPREHENSIONS) refuse(node, `loops are nested more than ${MAX_COMPREHENSIONS} deep`);
        if (iterRange !== undefined) visit(iterRange, variables, folds);
        inner = new Set([...variables, iterVar, accuVar]);
        innerFolds = folds + 1;
        for (const child of childrenOf(node)) if (child !== iterRange) visit(child, inner, innerFolds);
        return;
      }
      default:
        refuse(node, 'this is not part of the language');
        return;
    }
    for (const child of childrenOf(node)) visit(child, inner, innerFolds);
  };
  visit(expr, new Set(), 0);
  return faults;
}

/** Why a condition is too large, or undefined. Walks without recursion, since depth is what it measures. */
export function checkSize(root: Expr): string | undefined {
  let nodes = 0;
  const todo: [Expr, number][] = [[root, 1]];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const [node, depth] = next;
    if (++nodes > MAX_NODES) return `a condition has at most ${MAX_NODES} parts`;
    if (depth > MAX_DEPTH) return `a condition is nested at most ${MAX_DEPTH} deep`;
    for (const child of childrenOf(node)) todo.push([child, depth + 1]);
  }
  return undefined;
}

function calls(shape: { function?: readonly number[]; method?: readonly number[] }, names: string): [string, typeof shape][] {
  return names.split(' ').map((name) => [name, shape]);
}

/** The text of a string literal. */
export function literal(expr: Expr | undefined): string | undefined {
  if (expr?.exprKind.case !== 'constExpr') return undefined;
  const { constantKind } = expr.exprKind.value;
  return constantKind.case === 'stringValue' ? constantKind.value : undefined;
}

function regexFault(argument: Expr | undefined): string | undefined {
  const pattern = literal(argument);
  if (pattern === undefined) return 'the argument of matches must be a literal';
  const compiled = compileRegex(pattern);
  return typeof compiled === 'string' ? compiled : undefined;
}

function isTimeZone(name: string): boolean {
  try {
    // Throws a RangeError for a name that it does not know.
    new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions();
    return true;
  } catch {
    return false;
  }
}
