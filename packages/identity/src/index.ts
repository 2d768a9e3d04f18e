/** Who somebody is: API keys, personal tokens, sessions, sign-in links, and the directory from a file. */
export * from './api-keys.js';
export * from './authenticate.js';
export { type DirectoryFile, type DirectoryProblem, type DirectoryRead, readDirectory, readDirectoryFile, snapshotOf } from './directory-file.js';
export * from './errors.js';
export * from './personal-tokens.js';
export { hashOf, sameHash, type SecretToken } from './secret-token.js';
export * from './sessions.js';
export * from './sign-in-links.js';
