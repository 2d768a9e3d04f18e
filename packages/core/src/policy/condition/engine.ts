import { celEnv, celFunc, celMethod, CelScalar, type CelEnv } from '@bufbuild/cel';
import { strings } from '@bufbuild/cel/ext';
import type { Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import { BUDGET, PER_ITERATION } from './cost.js';
import { compileRegex, type Regex } from './regex.js';
import { mapChildren } from './syntax.js';

const METER = '@countersign_meter';
const { BOOL, DOUBLE, DYN, INT, STRING } = CelScalar;

/**
 * The CEL library as this language uses it. What differs from the library's defaults:
 * loops and regular expressions draw on a budget; regular expressions are compiled once;
 * text that is no number is an error (the library reads "" as 0 and "x" as NaN); and so is arithmetic that leaves the
 * finite numbers, since a comparison with NaN is false, and false lets things pass.
 */
export class CelEngine {
  readonly env: CelEnv;
  readonly #regexes = new Map<string, Regex>();
  #left = BUDGET;

  constructor() {
    const compile = (pattern: string): { test(text: string): boolean } => this.#regex(pattern);
    this.env = celEnv({
      re2: { compile },
      funcs: [
        ...strings.filter(({ name }) => name === 'lowerAscii'),
        celFunc(METER, [DYN], DYN, (value) => {
          this.#spend(PER_ITERATION);
          return value;
        }),
        celMethod('contains', STRING, [STRING], BOOL, this.#contains()),
        celFunc('int', [STRING], INT, readInt),
        celFunc('double', [STRING], DOUBLE, readDouble),
        celFunc('_+_', [DOUBLE, DOUBLE], DOUBLE, (a, b) => finite(a + b)),
        celFunc('_-_', [DOUBLE, DOUBLE], DOUBLE, (a, b) => finite(a - b)),
        celFunc('_*_', [DOUBLE, DOUBLE], DOUBLE, (a, b) => finite(a * b)),
        celFunc('_/_', [DOUBLE, DOUBLE], DOUBLE, (a, b) => finite(a / b)),
      ],
    });
  }

  /** Begins an evaluation. */
  refill(): void {
    this.#left = BUDGET;
  }

  get exhausted(): boolean {
    return this.#left < 0;
  }

  /** The same condition, with every turn of a loop metered: the loop's condition goes through a function that counts. */
  metered(expr: Expr): Expr {
    const changed = mapChildren(expr, (child) => this.metered(child));
    if (changed.exprKind.case !== 'comprehensionExpr') return changed;
    const fold = changed.exprKind.value;
    const inner = fold.loopCondition;
    if (inner === undefined) return changed;
    const loopCondition: Expr = { ...inner, exprKind: { case: 'callExpr', value: { $typeName: 'cel.expr.Expr.Call', function: METER, args: [inner] } } };
    return { ...changed, exprKind: { case: 'comprehensionExpr', value: { ...fold, loopCondition } } };
  }

  #spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new Error('the budget of this evaluation is spent');
  }

  #contains(): (this: string, part: string) => boolean {
    const spend = (steps: number): void => this.#spend(steps);
    return function (part) {
      spend(this.length >> 6);
      return this.includes(part);
    };
  }

  #regex(pattern: string): { test(text: string): boolean } {
    let regex = this.#regexes.get(pattern);
    if (regex === undefined) {
      const compiled = compileRegex(pattern);
      if (typeof compiled === 'string') throw new Error(compiled);
      this.#regexes.set(pattern, compiled);
      regex = compiled;
    }
    const { size, test } = regex;
    return {
      test: (text) => {
        this.#spend(text.length * size);
        return test(text);
      },
    };
  }
}

function readInt(text: string): bigint {
  if (!/^-?\d{1,19}$/.test(text)) throw new Error('the text is not a whole number');
  const value = BigInt(text);
  if (BigInt.asIntN(64, value) !== value) throw new Error('the number is out of range');
  return value;
}

function readDouble(text: string): number {
  if (!/^-?\d+(\.\d+)?([eE][+-]?\d{1,3})?$/.test(text)) throw new Error('the text is not a number');
  return finite(Number(text));
}

function finite(value: number): number {
  if (!Number.isFinite(value)) throw new Error('the result is not a finite number');
  return value;
}
