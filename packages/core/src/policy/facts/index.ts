/** Facts: what our own parsers say of what a caller asserts. Each kind is a file here. */
import type { FactKind } from './kinds.js';

export { factKind, type FactKind, type FactResult, type ReadPath } from './kinds.js';

/** Every kind by the name under which bundles declare it and conditions read it. */
export const factKinds: Readonly<Record<string, FactKind>> = {};
