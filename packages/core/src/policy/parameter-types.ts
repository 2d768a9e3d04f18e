import type { JsonObject, JsonValue } from '@countersign/contracts';
import type { MemberType, RecordType, ValueType } from './condition/value-type.js';

/** The type of a parameter as written: `string`, `int?`, `list<string>`, or a map of members. */
export type ParameterDocument = string | { [member: string]: ParameterDocument };

/** The type of a declared parameter. `int` reaches conditions as a CEL int, every other number as a double. */
export type ParameterType =
  | { kind: 'string' | 'int' | 'number' | 'bool' | 'timestamp' | 'duration' | 'map' | 'any' }
  | { kind: 'list'; of: ParameterType }
  | { kind: 'map_of'; of: ParameterType }
  | { kind: 'record'; members: ReadonlyMap<string, DeclaredParameter> };

export interface DeclaredParameter {
  type: ParameterType;
  optional: boolean;
}

const SIMPLE = ['string', 'int', 'number', 'bool', 'timestamp', 'duration', 'map', 'any'] as const;

/** Reads `string`, `int?`, `list<string>` and so on; undefined where the text is no type. */
export function parseParameterType(text: string): DeclaredParameter | undefined {
  const optional = text.endsWith('?');
  const type = parseType(optional ? text.slice(0, -1) : text);
  return type === undefined ? undefined : { type, optional };
}

function parseType(text: string): ParameterType | undefined {
  const simple = SIMPLE.find((kind) => kind === text);
  if (simple !== undefined) return { kind: simple };
  const [, outer, inner] = /^(list|map)<(.+)>$/.exec(text) ?? [];
  const of = inner === undefined ? undefined : parseType(inner);
  return of === undefined ? undefined : { kind: outer === 'list' ? 'list' : 'map_of', of };
}

/** The parameters of an action. A name with `?` behind it is one that may be absent, as is a type. */
export function declareParameters(documents: { [member: string]: ParameterDocument }): Map<string, DeclaredParameter> {
  const declared = new Map<string, DeclaredParameter>();
  for (const [written, document] of Object.entries(documents)) {
    const marked = written.endsWith('?');
    const parsed =
      typeof document === 'string'
        ? parseParameterType(document)
        : { type: { kind: 'record' as const, members: declareParameters(document) }, optional: false };
    if (parsed !== undefined) declared.set(marked ? written.slice(0, -1) : written, { type: parsed.type, optional: parsed.optional || marked });
  }
  return declared;
}

/** What the checker of conditions makes of declared parameters. */
export function recordOf(declared: ReadonlyMap<string, DeclaredParameter>): RecordType {
  const members: Record<string, MemberType> = Object.create(null);
  for (const [name, { type, optional }] of declared) members[name] = optional ? { optional: valueTypeOf(type) } : valueTypeOf(type);
  return { members };
}

function valueTypeOf(type: ParameterType): ValueType {
  switch (type.kind) {
    case 'list':
      return { list: valueTypeOf(type.of) };
    case 'map_of':
      return { map: valueTypeOf(type.of) };
    case 'record':
      return recordOf(type.members);
    case 'map':
      return { map: 'any' };
    case 'number':
      return 'double';
    default:
      return type.kind;
  }
}

/** The path of the first parameter that is missing or of another type than declared; undefined where all fit. Parameters that are not declared pass. */
export function firstUnfit(parameters: JsonObject, declared: ReadonlyMap<string, DeclaredParameter>): string | undefined {
  for (const [name, { type, optional }] of declared) {
    const value = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (value === undefined) {
      if (!optional) return name;
    } else if (type.kind === 'record' && isObject(value)) {
      const inner = firstUnfit(value, type.members);
      if (inner !== undefined) return `${name}.${inner}`;
    } else if (!fits(value, type)) return name;
  }
  return undefined;
}

function fits(value: JsonValue, type: ParameterType): boolean {
  switch (type.kind) {
    case 'any':
      return true;
    case 'string':
      return typeof value === 'string';
    case 'bool':
      return typeof value === 'boolean';
    case 'number':
      return typeof value === 'number';
    case 'int':
      return Number.isSafeInteger(value);
    case 'timestamp':
      return typeof value === 'string' && RFC_3339.test(value) && !Number.isNaN(Date.parse(value));
    case 'duration':
      return typeof value === 'string' && durationSeconds(value) !== undefined;
    case 'map':
      return isObject(value);
    case 'list':
      return Array.isArray(value) && value.every((element) => fits(element, type.of));
    case 'map_of':
      return isObject(value) && Object.values(value).every((member) => fits(member, type.of));
    case 'record':
      return isObject(value) && firstUnfit(value, type.members) === undefined;
  }
}

const RFC_3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})$/;

/** Seconds of a duration in JSON, `90s`, `1h30m`, `2d`; undefined for anything else. */
export function durationSeconds(text: string): number | undefined {
  if (text.length > 64 || !/^(?:\d{1,12}(?:\.\d{1,9})?[smhd])+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, count, unit] of text.matchAll(/([\d.]+)([smhd])/g)) sum += Number(count) * ({ s: 1, m: 60, h: 3600, d: 86_400 }[unit ?? 's'] ?? 1);
  return sum <= 315_576_000_000 ? sum : undefined;
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
