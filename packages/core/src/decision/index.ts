export { chainOf, linkOf } from './chain.js';
export { type Refusal, refusals, refuse } from './refusal.js';
export { checkPasskeyEvidence, type EvidenceFault, type EvidenceVerdict, type SpkiVerify } from './passkey-evidence.js';
