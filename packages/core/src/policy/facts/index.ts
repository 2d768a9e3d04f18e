/** Facts: what our own parsers say of what a caller asserts. Each kind is a file or folder here. */
import type { FactKind } from './kinds.js';
import { shell } from './shell/shell.js';
import { sql } from './sql/sql.js';

export { factKind, type FactKind, type FactResult, type ReadPath } from './kinds.js';
export { loadSqlParsers as loadFactParsers } from './sql/parsers.js';

/** Every kind by the name under which bundles declare it and conditions read it. */
export const factKinds: Readonly<Record<string, FactKind>> = { shell, sql };
