import type { JsonObject, JsonValue } from '@countersign/contracts';

/** The type of a declared parameter. `int` reaches conditions as a CEL int, every other number as a double. */
export type ParameterType = { kind: 'string' | 'int' | 'number' | 'bool' | 'map' | 'any' } | { kind: 'list'; of: ParameterType };

export interface DeclaredParameter {
  type: ParameterType;
  optional: boolean;
}

/** Reads `string`, `int?`, `list<string>` and so on; undefined where the text is no type. */
export function parseParameterType(text: string): DeclaredParameter | undefined {
  const optional = text.endsWith('?');
  const type = parseType(optional ? text.slice(0, -1) : text);
  return type === undefined ? undefined : { type, optional };
}

function parseType(text: string): ParameterType | undefined {
  switch (text) {
    case 'string':
    case 'int':
    case 'number':
    case 'bool':
    case 'map':
    case 'any':
      return { kind: text };
    default: {
      const inner = /^list<(.+)>$/.exec(text)?.[1];
      const of = inner === undefined ? undefined : parseType(inner);
      return of === undefined ? undefined : { kind: 'list', of };
    }
  }
}

/** The name of the first parameter that is missing or of another type than declared; undefined where all fit. Parameters that are not declared pass. */
export function firstUnfit(parameters: JsonObject, declared: ReadonlyMap<string, DeclaredParameter>): string | undefined {
  for (const [name, { type, optional }] of declared) {
    const value = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (value === undefined ? !optional : !fits(value, type)) return name;
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
    case 'map':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'list':
      return Array.isArray(value) && value.every((element) => fits(element, type.of));
  }
}
