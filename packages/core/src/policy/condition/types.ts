import type { Expr, SourceInfo } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import { didYouMean } from '../nearest-name.js';
import { ROOTS, type ValueType } from './roots.js';
import { childrenOf, offsetIn, type ConditionFault } from './syntax.js';

const COMPARISONS = new Set(['_<_', '_<=_', '_>_', '_>=_']);
const STRING_METHODS = new Set(['startsWith', 'endsWith', 'contains', 'matches']);

/**
 * Finds what can never come out right, whatever the request: members that do not exist, comparisons of values of
 * different types, and conditions that are no yes or no. What depends on the caller's JSON is `any` and passes.
 */
export function checkTypes(expr: Expr, sourceInfo: SourceInfo, lets: ReadonlySet<string>): ConditionFault[] {
  const faults: ConditionFault[] = [];
  const refuse = (at: Expr, message: string, more: { hint?: string } = {}): void => void faults.push({ message, offset: offsetIn(sourceInfo, at), ...more });

  const typeOf = (node: Expr): ValueType => {
    const { exprKind } = node;
    switch (exprKind.case) {
      case 'constExpr':
        return constantType(exprKind.value.constantKind.case);
      case 'identExpr':
        // A let is a condition of its own, and checked as one.
        return lets.has(exprKind.value.name) ? 'bool' : (ROOTS[exprKind.value.name] ?? 'any');
      case 'selectExpr': {
        const of = exprKind.value.operand === undefined ? 'any' : typeOf(exprKind.value.operand);
        const member = memberType(of, exprKind.value.field);
        if (member === undefined)
          refuse(node, `there is no "${exprKind.value.field}" here`, typeof of === 'object' ? didYouMean(exprKind.value.field, Object.keys(of.members)) : {});
        else if (exprKind.value.testOnly && typeof of === 'object' && member === 'string') refuse(node, `"${exprKind.value.field}" is always there`);
        return exprKind.value.testOnly ? 'bool' : (member ?? 'any');
      }
      case 'listExpr':
        exprKind.value.elements.forEach(typeOf);
        return 'list';
      case 'comprehensionExpr':
        childrenOf(node).forEach(typeOf);
        return 'any';
      case 'callExpr':
        return callType(node, exprKind.value.function, exprKind.value.target, exprKind.value.args);
      default:
        return 'any';
    }
  };

  const callType = (node: Expr, name: string, target: Expr | undefined, args: readonly Expr[]): ValueType => {
    const of = target === undefined ? 'any' : typeOf(target);
    const [left = 'any', right = 'any', third = 'any'] = args.map(typeOf);
    const wantBool = (type: ValueType): void => {
      if (type !== 'any' && type !== 'bool') refuse(node, `${nameOf(type)} is no yes or no`);
    };
    switch (name) {
      case '_&&_':
      case '_||_':
        wantBool(left);
        wantBool(right);
        return 'bool';
      case '!_':
        wantBool(left);
        return 'bool';
      case '_?_:_':
        wantBool(left);
        return right === third ? right : 'any';
      case '_==_':
      case '_!=_':
        if (!comparable(left, right) && left !== 'null' && right !== 'null') refuse(node, `${nameOf(left)} is never equal to ${nameOf(right)}`);
        return 'bool';
      case '@in':
        if (right !== 'any' && right !== 'list' && right !== 'map')
          refuse(node, `nothing is in ${nameOf(right)}`, { hint: right === 'string' ? 'use text.contains("…")' : 'write a list: ["…"]' });
        return 'bool';
      case '_[_]':
        return left === 'map' ? 'string' : 'any';
      case 'size':
        return 'int';
      case 'int':
      case 'double':
      case 'string':
      case 'timestamp':
      case 'duration':
        return name;
      case 'lowerAscii':
        if (of !== 'any' && of !== 'string') refuse(node, `"lowerAscii" is for text, not for ${nameOf(of)}`);
        return 'string';
      default:
        if (COMPARISONS.has(name)) {
          if (!comparable(left, right) || [left, right].some((type) => type === 'bool' || type === 'list' || type === 'map' || type === 'null'))
            refuse(node, `${nameOf(left)} cannot be compared with ${nameOf(right)}`);
          return 'bool';
        }
        if (STRING_METHODS.has(name)) {
          if (of !== 'any' && of !== 'string') refuse(node, `"${name}" is for text, not for ${nameOf(of)}`);
          if (left !== 'any' && left !== 'string') refuse(node, `"${name}" takes text, not ${nameOf(left)}`);
          return 'bool';
        }
        if (name.startsWith('get')) {
          if (of !== 'any' && of !== 'timestamp' && of !== 'duration') refuse(node, `"${name}" is for instants, not for ${nameOf(of)}`);
          return 'int';
        }
        return left === right && (left === 'string' || left === 'int' || left === 'double') ? left : 'any';
    }
  };

  const result = typeOf(expr);
  if (result !== 'any' && result !== 'bool') refuse(expr, `the condition is ${nameOf(result)}, not a yes or no`);
  return faults;
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

/** The type of a member, `any` where it is the caller's JSON, undefined where there can be none. */
function memberType(of: ValueType, member: string): ValueType | undefined {
  if (of === 'any') return 'any';
  if (of === 'map') return 'string';
  return typeof of === 'object' && Object.hasOwn(of.members, member) ? of.members[member] : undefined;
}

const NUMBERS: readonly ValueType[] = ['int', 'double', 'number'];

function comparable(a: ValueType, b: ValueType): boolean {
  return a === 'any' || b === 'any' || a === b || (NUMBERS.includes(a) && NUMBERS.includes(b));
}

function nameOf(type: ValueType): string {
  if (typeof type === 'object') return 'a map';
  return {
    bool: 'a yes or no',
    string: 'text',
    number: 'a number',
    int: 'a number',
    double: 'a number',
    null: 'null',
    list: 'a list',
    map: 'a map',
    timestamp: 'an instant',
    duration: 'a duration',
    any: 'a value',
  }[type];
}
