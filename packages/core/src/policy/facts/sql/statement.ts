import { sorted } from '../inputs.js';
import type { JsonObject } from '@countersign/contracts';

/** What the readers of both dialects collect. Everything in it may only be said too often, never too seldom. */
export interface Findings {
  statements: number;
  readonly verbs: Set<string>;
  writes: boolean;
  changesSchema: boolean;
  changesRights: boolean;
  unfiltered: boolean;
  outside: boolean;
  star: boolean;
  readonly tables: Set<string>;
  readonly writtenTables: Set<string>;
  /** Names that WITH gives; no tables. */
  readonly ctes: Set<string>;
  readonly columns: Set<string>;
  readonly functions: Set<string>;
  readonly unknownFunctions: Set<string>;
}

export function noFindings(): Findings {
  return {
    statements: 0,
    verbs: new Set(),
    writes: false,
    changesSchema: false,
    changesRights: false,
    unfiltered: false,
    outside: false,
    star: false,
    tables: new Set(),
    writtenTables: new Set(),
    ctes: new Set(),
    columns: new Set(),
    functions: new Set(),
    unknownFunctions: new Set(),
  };
}

export function factsOf(found: Findings): JsonObject {
  return {
    statements: found.statements,
    verbs: sorted(found.verbs),
    writes: found.writes,
    changes_schema: found.changesSchema,
    changes_rights: found.changesRights,
    unfiltered: found.unfiltered,
    outside: found.outside,
    star: found.star,
    tables: sorted(found.tables),
    written_tables: sorted(found.writtenTables),
    columns: sorted(found.columns),
    functions: sorted(found.functions),
    unknown_functions: sorted(found.unknownFunctions),
  };
}

/** Both `public.users` and `users`, so that a rule finds a table under either name. */
export function addTable(into: Set<string>, parts: readonly string[], defaultSchema: string | undefined): void {
  const named = parts.filter((part) => part !== '').map((part) => (part.includes('.') ? `"${part}"` : part));
  const last = named.at(-1);
  if (last === undefined) return;
  for (let from = 0; from < named.length; from++) into.add(named.slice(from).join('.'));
  if (named.length === 1 && defaultSchema !== undefined) into.add(`${defaultSchema}.${last}`);
}
