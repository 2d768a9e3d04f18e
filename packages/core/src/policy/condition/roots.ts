/** What conditions may read, and of which type. `any` is what the caller may fill with any JSON. */
export type ValueType = 'bool' | 'string' | 'number' | 'int' | 'double' | 'null' | 'list' | 'map' | 'timestamp' | 'duration' | 'any' | RecordType;
export interface RecordType {
  readonly members: Readonly<Record<string, ValueType>>;
}

export const ROOTS: Readonly<Record<string, ValueType>> = {
  action: 'string',
  environment: 'string',
  resource: { members: { type: 'string', id: 'string', labels: 'map' } },
  actor: { members: { type: 'string', id: 'string', on_behalf_of: { members: { type: 'string', id: 'string' } } } },
  parameters: 'any',
  context: 'any',
  reason: 'string',
  now: 'timestamp',
};

export const isRoot = (name: string): boolean => Object.hasOwn(ROOTS, name);

/** Words that CEL keeps for itself, and the names of its types and functions. */
export const RESERVED: ReadonlySet<string> = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while int uint double bool string bytes list map type dyn has size timestamp duration cel'.split(
    ' ',
  ),
);
