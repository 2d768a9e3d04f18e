import type { JsonValue } from '@countersign/contracts';
import { z } from 'zod';
import { LONE_SURROGATE } from '../../request/index.js';
import type { FactResult, ReadPath } from './kinds.js';

/**
 * Where a fact's input is. Facts are computed from what will run (parameters, and the resource's id), which the approval is bound to by
 * its digest; what a caller merely says beside it (context, reason, labels) is no ground for facts.
 */
export const inputPath = z
  .string()
  .max(512)
  .regex(
    /^(?:parameters(?:\.[A-Za-z_][A-Za-z0-9_-]*|\[(?:\d{1,6}|"[^"\\\]]{1,128}")\])+|resource\.id)$/,
    'facts are computed from what runs: a path such as parameters.statement or parameters.rules[0].cidr, or resource.id',
  );

/** Thrown inside a kind where its input cannot be read for certain; the message is the sentence of the error. */
export class Unreadable extends Error {}

/** Runs a kind's work. What it throws on purpose becomes the error; what it throws by mistake too, since a fact that failed must not loosen. */
export function computed(work: () => FactResult): FactResult {
  try {
    return work();
  } catch (fault) {
    return { error: fault instanceof Unreadable ? fault.message : 'the value cannot be read for certain' };
  }
}

/** The text at a path. Lone surrogates and U+0000 are refused: what runs it would read something else. */
export function textAt(read: ReadPath, path: string, maxLength: number, what: string): string {
  return readableText(read(path), maxLength, what);
}

export function readableText(value: JsonValue | undefined, maxLength: number, what: string): string {
  if (value === undefined) throw new Unreadable(`${what} is missing`);
  if (typeof value !== 'string') throw new Unreadable(`${what} is not text`);
  if (value.length > maxLength) throw new Unreadable(`${what} is longer than ${maxLength} characters`);
  if (value.includes('\0') || LONE_SURROGATE.test(value)) throw new Unreadable(`${what} has characters that stand for nothing`);
  return value;
}

/** One text, or a list of texts, as a list. */
export function textsAt(read: ReadPath, path: string, limits: { count: number; length: number }, what: string): string[] {
  const value = read(path);
  if (!Array.isArray(value)) return [readableText(value, limits.length, what)];
  if (value.length > limits.count) throw new Unreadable(`there are more than ${limits.count} of them`);
  return value.map((element) => readableText(element, limits.length, what));
}

/** Sorted, without repetition: facts have no order that a caller chooses. */
export function sorted(values: Iterable<string>): string[] {
  return [...new Set(values)].sort();
}
