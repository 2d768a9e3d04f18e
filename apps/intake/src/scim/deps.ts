import type { IntakeDeps } from '../deps.js';

/** What the SCIM interface needs of the world. */
export type ScimDeps = Pick<IntakeDeps, 'flow' | 'directory' | 'scim' | 'log'>;
