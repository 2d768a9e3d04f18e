/** Who somebody is: API keys, personal tokens, sessions, sign-in links, and the directory from a file. */
export * from './api-keys.js';
export * from './authenticate.js';
export { type DirectoryFile, type DirectoryProblem, type DirectoryRead, readDirectory, readDirectoryFile, snapshotOf } from './directory-file.js';
export * from './errors.js';
export * from './passkeys/index.js';
export * from './personal-tokens.js';
export { hashOf, sameHash, type SecretToken } from './secret-token.js';
export * from './sessions.js';
export * from './sign-in-links.js';
export { type Identified, identify as identifyClaims } from './oidc/claims.js';
export { backChannelLogout, endSessionUrl } from './oidc/logout.js';
export { OidcProvider, type OidcProviderConfig, type Preset, presetOf } from './oidc/provider.js';
export { finishSignIn, proveCallback, SIGN_IN_SECONDS, type SignInRefusal, type SignInWorld, startSignIn } from './oidc/sign-in.js';
