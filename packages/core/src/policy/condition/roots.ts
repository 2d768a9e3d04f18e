import type { RecordType, ValueType } from './value-type.js';

const NAMED: RecordType = { members: { type: 'string', id: 'string' } };

/** What conditions may read, and of which type, where the bundle declares nothing more. */
export const ROOTS: Readonly<Record<string, ValueType>> = {
  action: 'string',
  environment: 'string',
  reason: 'string',
  resource: {
    members: {
      type: 'string',
      id: 'string',
      labels: { map: 'string' },
      data_classes: { list: 'string' },
      owner: { optional: 'string' },
      declared: 'bool',
    },
  },
  actor: { members: { type: 'string', id: 'string', on_behalf_of: { optional: NAMED } } },
  caller: { members: { type: 'string', id: 'string', name: 'string', issuer: 'string', claims: { map: 'string' } } },
  parameters: { map: 'any' },
  context: { map: 'any' },
  now: 'timestamp',
  reversibility: 'string',
  facts: { members: {} },
  windows: { members: {} },
};

export const isRoot = (name: string): boolean => Object.hasOwn(ROOTS, name);

/**
 * Who vouches for a root. `verified`: the catalogue, the credential, our clock or our parsers; `named`: it says what runs, and the
 * executor is held to it by the action digest; `asserted`: the caller's word; `pinned`: verified in requests whose credential
 * or catalogue fixes it, asserted in others.
 */
export type Provenance = 'verified' | 'named' | 'asserted' | 'pinned';

export const PROVENANCE: Readonly<Record<string, Provenance>> = {
  action: 'named',
  // Of its labels, a condition that loosens sees only those of the catalogue.
  resource: 'verified',
  caller: 'verified',
  now: 'verified',
  reversibility: 'verified',
  facts: 'verified',
  windows: 'verified',
  actor: 'pinned',
  environment: 'pinned',
  parameters: 'asserted',
  context: 'asserted',
  reason: 'asserted',
};

/** Words that CEL keeps for itself, and the names of its types and functions. */
export const RESERVED: ReadonlySet<string> = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while int uint double bool string bytes list map type dyn has size timestamp duration cel'.split(
    ' ',
  ),
);
