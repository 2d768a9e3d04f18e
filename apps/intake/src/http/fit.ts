import { nearestName } from '@countersign/core/policy';
import { childPointer, type JsonPointer } from '@countersign/core/request';
import { z } from 'zod';
import { trouble, type Trouble } from '../problems.js';

/** More bad members than these are not listed. */
const MAX_ERRORS = 50;

/**
 * Holds a value against a schema. What does not fit is named by JSON pointer, without repeating the value; an unknown
 * member comes with the name that was probably meant.
 */
export function fit<T>(schema: z.ZodType<T>, value: unknown, code: 'invalid_body' | 'invalid_query'): { value: T } | Trouble {
  if (value === undefined) return trouble(code, 'A JSON body is needed.', { errors: [{ pointer: '', detail: 'is missing' }] });
  const parsed = schema.safeParse(value);
  if (parsed.success) return { value: parsed.data };
  const errors = parsed.error.issues.flatMap((issue) => errorsOf(issue, '', schema)).slice(0, MAX_ERRORS);
  const what = code === 'invalid_body' ? 'body' : 'query';
  return trouble(code, errors.length === 1 ? `One member of the ${what} does not fit.` : `${errors.length} members of the ${what} do not fit.`, { errors });
}

interface FieldError {
  pointer: JsonPointer;
  detail: string;
}

function errorsOf(issue: z.core.$ZodIssue, base: JsonPointer, schema: z.core.$ZodType): FieldError[] {
  const pointer = issue.path.reduce<JsonPointer>((parent, token) => childPointer(parent, String(token)), base);
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = membersAt(schema, issue.path);
      return issue.keys.map((key) => ({ pointer: childPointer(pointer, shorten(key)), detail: `is not known here${hint(key, known)}` }));
    }
    case 'invalid_union': {
      // Of the alternatives, the one that fits best is what was meant.
      const [closest] = issue.errors.toSorted((a, b) => weight(a) - weight(b));
      const inner = memberSchema(schema, issue.path) ?? schema;
      return closest === undefined || closest.length === 0
        ? [{ pointer, detail: issue.message }]
        : closest.flatMap((nested) => errorsOf(nested, pointer, inner));
    }
    case 'invalid_key':
      return [{ pointer, detail: 'this name is too long or empty' }];
    default:
      return [{ pointer, detail: wordsOf(issue.message) }];
  }
}

/** zod's words, for people who did not write the schema. */
function wordsOf(message: string): string {
  if (message.endsWith('received undefined')) return 'is missing';
  return message.replace(/^Invalid (input|option): /, '').replace('expected record', 'expected object');
}

/** A missing or unknown name says more against an alternative than a value that does not fit. */
function weight(issues: readonly z.core.$ZodIssue[]): number {
  return issues.reduce((sum, issue) => sum + (issue.code === 'unrecognized_keys' ? 2 * issue.keys.length : issue.code === 'invalid_type' ? 2 : 1), 0);
}

function hint(key: string, known: readonly string[]): string {
  const nearest = nearestName(key, known);
  return nearest === undefined ? '' : `; did you mean "${nearest}"?`;
}

/** The names that objects at the path may have. */
function membersAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const at = memberSchema(schema, path);
  return at === null ? [] : namesOf(at);
}

function namesOf(schema: z.core.$ZodType): string[] {
  const plain = unwrap(schema);
  if (plain instanceof z.ZodObject) return Object.keys(plain.shape);
  if (plain instanceof z.ZodUnion) return plain.options.flatMap(namesOf);
  return [];
}

function memberSchema(schema: z.core.$ZodType, path: readonly PropertyKey[]): z.core.$ZodType | null {
  const plain = unwrap(schema);
  const [token, ...rest] = path;
  if (token === undefined) return plain;
  if (plain instanceof z.ZodArray) return memberSchema(plain.element, rest);
  if (plain instanceof z.ZodObject) {
    const member: unknown = plain.shape[String(token)];
    return member instanceof z.ZodType ? memberSchema(member, rest) : null;
  }
  return null;
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodNullable ? unwrap(schema.unwrap()) : schema;
}

const shorten = (key: string): string => (key.length <= 64 ? key : `${key.slice(0, 64)}…`);
