export type * from './types.js';
export { mergeRequirements } from './merge-requirements.js';
