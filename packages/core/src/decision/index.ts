export { agentProblem, agentWarnings } from './agent-rights.js';
export { chainOf, entriesOf, humanOf, linkNow, linkOf, namedIn, todayUnder } from './chain.js';
export { foldRef, mailboxOf, mayBeOne } from './mailbox.js';
export { type Refusal, refusals, refuse } from './refusal.js';
export { checkPasskeyEvidence, type EvidenceFault, type EvidenceVerdict, type SpkiVerify } from './passkey-evidence.js';
export { alikeRefusal } from './alike.js';
export { brokenBy, countedApprovals } from './counted.js';
export { type Given, hasItsTickets, unmetObligation } from './obligations.js';
export { lentGroups, type Loan, loanOf } from './stand-in.js';
