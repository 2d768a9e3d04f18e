import type { JsonObject, JsonValue } from '@countersign/contracts';
import type { z } from 'zod';
import type { RecordType } from '../condition/value-type.js';

/**
 * What a kind of facts makes of a request: a plain object of the kind's `result` type (members of type `int` are whole
 * numbers, optional ones are left out, never null), or why it cannot be said. An error is a sentence without a full stop
 * that holds no value of the request, such as `the statement is not SQL of this dialect`; a condition that reads the facts is then indeterminate.
 */
export type FactResult = { readonly value: JsonObject } | { readonly error: string };

/**
 * Reads the request at a path of the language, such as `parameters.statement` or `context.plan.changes[0]`. Undefined where there is nothing.
 * Gives the raw JSON of the caller: anything may be of any type and size.
 */
export type ReadPath = (path: string) => JsonValue | undefined;

/**
 * One kind of facts: what our own parsers compute of what a caller asserts. A bundle declares it per action,
 * `catalogue.actions.<name>.facts: {sql: {from: parameters.statement, dialect: postgresql}}`, and conditions read it as `facts.sql.…`.
 *
 * Facts count as verified, since the caller cannot say one thing and run another: they are computed from the very parameters that run.
 * So `compute` is pure, ends soon whatever it reads (the work is bounded by its input), never throws, and errs on the side of the
 * restrictive: what it cannot parse for certain is an error, never the harmless answer.
 */
export interface FactKind {
  /** What the declaration may say; its problems are problems of the bundle. */
  readonly options: z.ZodType;
  /** The type of `facts.<kind>`, for the checker of conditions. */
  readonly result: RecordType;
  /** The paths that `compute` will read, as the options name them: checked when the bundle loads, and masked alike in explanations. */
  paths(options: unknown): readonly string[];
  compute(options: unknown, read: ReadPath): FactResult;
}

/** Makes a kind whose functions see its options typed. */
export function factKind<Schema extends z.ZodType>(kind: {
  options: Schema;
  result: RecordType;
  paths(options: z.infer<Schema>): readonly string[];
  compute(options: z.infer<Schema>, read: ReadPath): FactResult;
}): FactKind {
  return {
    options: kind.options,
    result: kind.result,
    // Options reach a kind only after its own schema has parsed them.
    paths: (options) => kind.paths(options as z.infer<Schema>),
    compute: (options, read) => kind.compute(options as z.infer<Schema>, read),
  };
}
