/** Reading requests: strict JSON, canonical JSON and digests, ids and instants, normalised resource ids, text made visible. */
export * from './bytes.js';
export * from './caller-rights.js';
export * from './canonical-json.js';
export * from './decision-challenge.js';
export * from './digests.js';
export * from './ids.js';
export * from './instants.js';
export * from './json-value.js';
export * from './json-number.js';
export * from './normalise.js';
export * from './strict-json.js';
export * from './visible-text.js';
