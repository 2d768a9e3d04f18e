/** The tamper-evident ledger: RFC 6962 tree, C2SP tiles, checkpoints and proofs, leaves that can be erased, and the check of it all. */
export * from './checkpoint.js';
export * from './hashing.js';
export * from './leaf.js';
export * from './note.js';
export * from './proofs.js';
export * from './receipt.js';
export * from './request-receipt.js';
export * from './sequence.js';
export * from './tiles.js';
export * from './tree.js';
export * from './verify-log.js';
