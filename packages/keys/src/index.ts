/** Keys: the master keyring and what it seals, the signing keys, and the forms in which others know them. */
export * from './ed25519.js';
export * from './errors.js';
export * from './grant-verifier.js';
export * from './jws.js';
export * from './key-wrapper.js';
export * from './keyring.js';
export * from './master-key-file.js';
export * from './master-keyring.js';
export * from './kms/index.js';
export * from './rewrap.js';
export * from './sealer.js';
export * from './signature-verifier.js';
export * from './signing-purposes.js';
export * from './spki.js';
export * from './webhook-keys.js';
