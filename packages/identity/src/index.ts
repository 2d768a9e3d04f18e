/** Who somebody is: API keys, personal tokens, sessions, sign-in links, and the directory from a file. */
export * from './administer-keys.js';
export * from './api-keys.js';
export * from './authenticate-caller.js';
export * from './authenticate.js';
export {
  type DirectoryFile,
  directoryInvalid,
  type DirectoryProblem,
  type DirectoryRead,
  directoryText,
  readDirectory,
  readDirectoryFile,
  snapshotOf,
} from './directory-file.js';
export { readCookie, setCookie, signInCookieName } from './browser-cookies.js';
export { type CertificateHeader, certificateOf } from './client-certificate.js';
export { addressOf, inNetworks, isNetwork } from './caller-networks.js';
export { checkProof, type ProofTarget, type ProofWorld } from './dpop.js';
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
export { applyTrust, type TrustApplied } from './workload/apply-trust.js';
export { CALLER_TOKEN_SECONDS } from './workload/caller-token.js';
export { type Exchange, exchangeToken, type ExchangeWorld } from './workload/exchange.js';
export { type FetchText, IssuerKeys, type IssuerKeysDeps } from './workload/issuer-keys.js';
export { readTrust, readTrustFile, type TrustProblem, type TrustRead } from './workload/trust-file.js';
export type { TrustRule } from './workload/trust-rule.js';
export { type WorkloadVerdict, type WorkloadVerifier, workloadVerifier, type WorkloadWorld } from './workload/verify-workload-token.js';
export * from './scim-tokens.js';
