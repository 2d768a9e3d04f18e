export { chainOf, linkOf } from './chain.js';
export { type Refusal, refusals, refuse } from './refusal.js';
