import type { Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import { didYouMean, type Hint } from '../nearest-name.js';
import { literal } from './dialect.js';
import { settledByAbsence, union } from './guards.js';
import { keyOf, stepsOf, writePath } from './paths.js';
import { ROOTS } from './roots.js';
import type { ConditionFault } from './syntax.js';
import { isList, isMap, isOptional, isRecord, presentType, type RecordType, type ValueType } from './value-type.js';

/** What is known of the values that a condition reads, beyond the language's own roots. */
export interface TypeScope {
  /** Declared parameters of all actions that the condition is for; undefined where some action declares none. */
  readonly parameters: RecordType | undefined;
  /** The kinds of facts that may be read; optional where not every action has them. */
  readonly facts: RecordType;
  readonly windows: RecordType;
  /** How problems name the actions, such as `the action db.query`. */
  readonly actions: string;
}

export interface TypeFindings {
  faults: ConditionFault[];
  warnings: ConditionFault[];
}

const COMPARISONS = new Set(['_<_', '_<=_', '_>_', '_>=_']);
const ARITHMETIC = new Set(['_+_', '_-_', '_*_', '_/_', '_%_']);
const STRING_METHODS = new Set(['startsWith', 'endsWith', 'contains', 'matches']);

/**
 * Finds what can never come out right, whatever the request: members that do not exist, comparisons of values of
 * different types, conditions that are no yes or no, and reads of what may be absent without a guard. What depends on the
 * caller's undeclared JSON is `any` and passes; read without a guard, it is a warning.
 */
export function checkTypes(root: Expr, offsetOf: (node: Expr) => number, scope: TypeScope): TypeFindings {
  const faults: ConditionFault[] = [];
  const warnings = new Map<string, ConditionFault>();
  const refuse = (at: Expr, message: string, more: { hint?: Hint } = {}): void => void faults.push({ message, offset: offsetOf(at), ...more });
  const roots: Record<string, ValueType> = {
    ...ROOTS,
    facts: scope.facts,
    windows: scope.windows,
    ...(scope.parameters === undefined ? {} : { parameters: scope.parameters }),
  };

  interface Known {
    /** Paths that are certainly there. */
    readonly guards: ReadonlySet<string>;
    readonly variables: ReadonlyMap<string, ValueType>;
  }

  const typeOf = (node: Expr, known: Known): ValueType => {
    const { exprKind } = node;
    switch (exprKind.case) {
      case 'constExpr':
        return constantType(exprKind.value.constantKind.case);
      case 'identExpr':
        return known.variables.get(exprKind.value.name) ?? roots[exprKind.value.name] ?? 'any';
      case 'selectExpr': {
        const { operand, field, testOnly } = exprKind.value;
        const of = operand === undefined ? 'any' : typeOf(operand, known);
        const member = readMember(node, of, field, testOnly, known);
        return testOnly ? 'bool' : member;
      }
      case 'listExpr': {
        const elements = exprKind.value.elements.map((element) => typeOf(element, known));
        return { list: elements.reduce<ValueType>((sum, each, index) => (index === 0 ? each : same(sum, each) ? sum : 'any'), 'any') };
      }
      case 'comprehensionExpr': {
        const { iterVar, accuVar, iterRange, accuInit, loopCondition, loopStep, result } = exprKind.value;
        const over = iterRange === undefined ? 'any' : typeOf(iterRange, known);
        if (over !== 'any' && !isList(over) && !isMap(over)) refuse(node, `a loop goes over a list, not over ${nameOf(over)}`);
        const element = isList(over) ? over.list : isMap(over) ? 'string' : 'any';
        const accu = accuInit === undefined ? 'any' : typeOf(accuInit, known);
        const inner: Known = { guards: known.guards, variables: new Map([...known.variables, [iterVar, element], [accuVar, accu]]) };
        if (loopCondition !== undefined) typeOf(loopCondition, inner);
        if (loopStep !== undefined) typeOf(loopStep, inner);
        return result === undefined ? 'any' : typeOf(result, inner);
      }
      case 'callExpr':
        return callType(node, exprKind.value.function, exprKind.value.target, exprKind.value.args, known);
      default:
        return 'any';
    }
  };

  const readMember = (node: Expr, of: ValueType, field: string, tested: boolean, known: Known): ValueType => {
    const steps = stepsOf(node);
    if (isRecord(of)) {
      const member = Object.hasOwn(of.members, field) ? of.members[field] : undefined;
      if (member === undefined) {
        refuse(
          node,
          absent(steps, field),
          didYouMean(field, () => Object.keys(of.members)),
        );
        return 'any';
      }
      if (isOptional(member)) {
        if (!tested && !guarded(steps, known)) refuse(node, `${writePath(steps ?? [field])} may be absent`, guardHint(steps));
      } else if (tested && steps !== undefined && steps[0] !== 'parameters' && steps[0] !== 'facts') refuse(node, `"${field}" is always there`);
      return presentType(member);
    }
    if (of !== 'any' && !isMap(of)) {
      refuse(node, `there is no "${field}" in ${nameOf(of)}`);
      return 'any';
    }
    if (!tested && !guarded(steps, known) && steps !== undefined && roots[steps[0] ?? ''] !== undefined) {
      const message = `${writePath(steps)} may be absent; the condition then cannot be computed`;
      if (!warnings.has(message)) warnings.set(message, { message, offset: offsetOf(node), ...guardHint(steps) });
    }
    return isMap(of) ? of.map : 'any';
  };

  const absent = (steps: readonly string[] | undefined, field: string): string => {
    if (steps?.length !== 2 || steps[1] !== field) return `there is no "${field}" here`;
    if (steps[0] === 'parameters') return `${scope.actions} declares no parameter "${field}"`;
    if (steps[0] === 'facts') return `${scope.actions} declares no facts "${field}"`;
    return steps[0] === 'windows' ? `there is no window "${field}"` : `there is no "${field}" here`;
  };

  const callType = (node: Expr, name: string, target: Expr | undefined, args: readonly Expr[], known: Known): ValueType => {
    const [first, second] = args;
    if ((name === '_&&_' || name === '_||_') && first !== undefined && second !== undefined) {
      const settles = name === '_||_';
      const left = typeOf(first, withGuards(known, settledByAbsence(second, settles)));
      const right = typeOf(second, withGuards(known, settledByAbsence(first, settles)));
      wantBool(node, left);
      wantBool(node, right);
      return 'bool';
    }
    if (name === '_?_:_' && first !== undefined && second !== undefined && args[2] !== undefined) {
      wantBool(node, typeOf(first, known));
      const yes = typeOf(second, withGuards(known, settledByAbsence(first, false)));
      const no = typeOf(args[2], withGuards(known, settledByAbsence(first, true)));
      return same(yes, no) ? yes : 'any';
    }
    const of = target === undefined ? 'any' : typeOf(target, known);
    const [left = 'any', right = 'any'] = args.map((arg) => typeOf(arg, known));
    switch (name) {
      case '!_':
        wantBool(node, left);
        return 'bool';
      case '-_':
        if (left !== 'any' && !isNumber(left)) refuse(node, `${nameOf(left)} has no negative`);
        return left;
      case '_==_':
      case '_!=_':
        if (!comparable(left, right) && left !== 'null' && right !== 'null') refuse(node, `${nameOf(left)} is never equal to ${nameOf(right)}`);
        return 'bool';
      case '@in':
        // Declared parameters are a map all the same; what the language itself has is no list of names.
        if (
          (isRecord(right) && (second === undefined || stepsOf(second)?.[0] !== 'parameters')) ||
          (right !== 'any' && !isList(right) && typeof right !== 'object')
        )
          refuse(node, `nothing is in ${nameOf(right)}`, { hint: right === 'string' ? 'use text.contains("…")' : 'write a list: ["…"]' });
        else if (isList(right) && !comparable(left, right.list)) refuse(node, `${nameOf(left)} is never in a list of ${pluralOf(right.list)}`);
        else if (isMap(right) && !comparable(left, 'string')) refuse(node, `${nameOf(left)} is never a key`);
        return 'bool';
      case '_[_]':
        return indexType(node, first, second, left, right, known);
      case 'size': {
        const measured = target === undefined ? left : of;
        if (measured !== 'any' && measured !== 'string' && !isList(measured) && !isMap(measured)) refuse(node, `${nameOf(measured)} has no size`);
        return 'int';
      }
      case 'int':
      case 'double':
      case 'string':
      case 'timestamp':
      case 'duration':
        if (isRecord(left) || isList(left) || isMap(left) || left === 'null') refuse(node, `"${name}" cannot read ${nameOf(left)}`);
        return name;
      case 'lowerAscii':
        if (of !== 'any' && of !== 'string') refuse(node, `"lowerAscii" is for text, not for ${nameOf(of)}`);
        return 'string';
      default:
        if (COMPARISONS.has(name)) {
          if (
            !comparable(left, right) ||
            [left, right].some((type) => type === 'bool' || type === 'null' || (typeof type === 'object' && !comparable(type, 'string')))
          )
            refuse(node, `${nameOf(left)} cannot be compared with ${nameOf(right)}`);
          return 'bool';
        }
        if (ARITHMETIC.has(name)) return arithmeticType(node, name, left, right);
        if (STRING_METHODS.has(name)) {
          if (of !== 'any' && of !== 'string') refuse(node, `"${name}" is for text, not for ${nameOf(of)}`);
          if (left !== 'any' && left !== 'string') refuse(node, `"${name}" takes text, not ${nameOf(left)}`);
          return 'bool';
        }
        if (name.startsWith('get')) {
          if (of !== 'any' && of !== 'timestamp' && of !== 'duration') refuse(node, `"${name}" is for instants, not for ${nameOf(of)}`);
          return 'int';
        }
        // The loops' own condition hands its argument on.
        return name === '@not_strictly_false' ? 'bool' : 'any';
    }
  };

  const indexType = (node: Expr, target: Expr | undefined, index: Expr | undefined, of: ValueType, by: ValueType, known: Known): ValueType => {
    const key = literal(index);
    if (isRecord(of)) return key === undefined || target === undefined ? 'any' : readMember(node, of, key, false, known);
    if (isList(of)) {
      if (by !== 'any' && !isNumber(by)) refuse(node, `an element of a list has a number, not ${nameOf(by)}`);
      return of.list;
    }
    if (of !== 'any' && !isMap(of)) {
      refuse(node, `${nameOf(of)} has no members`);
      return 'any';
    }
    return key === undefined ? (isMap(of) ? of.map : 'any') : readMember(node, of, key, false, known);
  };

  const arithmeticType = (node: Expr, name: string, left: ValueType, right: ValueType): ValueType => {
    if (left === 'any' || right === 'any') return isNumber(left) ? left : isNumber(right) ? right : 'any';
    const sign = name.slice(1, -1);
    if (isNumber(left) && isNumber(right)) {
      if (left !== right)
        refuse(node, `a whole number and a fraction do not go together in ${sign}`, { hint: 'write 1.0 for 1, or int(…) around the fraction' });
      else if (sign === '%' && left === 'double')
        refuse(node, '% is for whole numbers', { hint: 'write int(…) around the number, or declare the parameter as int' });
      return left;
    }
    if (sign === '+' && same(left, right) && (left === 'string' || left === 'duration' || isList(left))) return left;
    if (sign === '-' && left === 'timestamp' && right === 'timestamp') return 'duration';
    if (sign === '-' && left === 'duration' && right === 'duration') return 'duration';
    if (left === 'timestamp' && right === 'duration' && (sign === '+' || sign === '-')) return 'timestamp';
    if (left === 'duration' && right === 'timestamp' && sign === '+') return 'timestamp';
    refuse(node, `${nameOf(left)} and ${nameOf(right)} do not go together in ${sign}`);
    return 'any';
  };

  const wantBool = (node: Expr, type: ValueType): void => {
    if (type !== 'any' && type !== 'bool') refuse(node, `${nameOf(type)} is no yes or no`);
  };

  const result = typeOf(root, { guards: new Set(), variables: new Map() });
  if (result !== 'any' && result !== 'bool') refuse(root, `the condition is ${nameOf(result)}, not a yes or no`);
  return { faults, warnings: [...warnings.values()] };
}

function guarded(steps: readonly string[] | undefined, known: { readonly guards: ReadonlySet<string> }): boolean {
  return steps !== undefined && known.guards.has(keyOf(steps));
}

function withGuards<T extends { readonly guards: ReadonlySet<string> }>(known: T, more: ReadonlySet<string>): T {
  return more.size === 0 ? known : { ...known, guards: union(known.guards, more) };
}

function guardHint(steps: readonly string[] | undefined): { hint?: string } {
  const last = steps?.at(-1);
  if (steps === undefined || last === undefined || /^\d+$/.test(last)) return {};
  return {
    hint: /^[A-Za-z_]\w*$/.test(last)
      ? `guard it: has(${writePath(steps)}) && …`
      : `guard it: ${JSON.stringify(last)} in ${writePath(steps.slice(0, -1))} && …`,
  };
}

function constantType(kind: string | undefined): ValueType {
  switch (kind) {
    case 'boolValue':
      return 'bool';
    case 'stringValue':
      return 'string';
    case 'int64Value':
      return 'int';
    case 'doubleValue':
      return 'double';
    case 'nullValue':
      return 'null';
    default:
      return 'any';
  }
}

const isNumber = (type: ValueType): boolean => type === 'int' || type === 'double' || type === 'number';

function same(a: ValueType, b: ValueType): boolean {
  if (typeof a !== 'object' || typeof b !== 'object') return a === b;
  if (isList(a) && isList(b)) return same(a.list, b.list);
  return isMap(a) && isMap(b) ? same(a.map, b.map) : a === b;
}

function comparable(a: ValueType, b: ValueType): boolean {
  if (a === 'any' || b === 'any') return true;
  if (isNumber(a) && isNumber(b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object') return a === b;
  if (isList(a) || isList(b)) return isList(a) && isList(b) && comparable(a.list, b.list);
  return true;
}

function nameOf(type: ValueType): string {
  if (typeof type === 'object') return isList(type) ? 'a list' : 'a map';
  return {
    bool: 'a yes or no',
    string: 'text',
    number: 'a number',
    int: 'a number',
    double: 'a number',
    null: 'null',
    timestamp: 'an instant',
    duration: 'a duration',
    any: 'a value',
  }[type];
}

function pluralOf(type: ValueType): string {
  if (typeof type === 'object') return isList(type) ? 'lists' : 'maps';
  return {
    bool: 'yes or no',
    string: 'texts',
    number: 'numbers',
    int: 'numbers',
    double: 'numbers',
    null: 'nulls',
    timestamp: 'instants',
    duration: 'durations',
    any: 'values',
  }[type];
}
