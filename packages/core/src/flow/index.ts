export { cancel, revoke, type Withdrawer, type WithdrawOutcome } from './revoke.js';
export { type DecideInput, type DecideOutcome, type Decider, decide, waitingNow } from './decide.js';
export { delegate, delegationAnswer, type DelegationDeps, type DelegationOutcome, endDelegation } from './delegations.js';
export { type AttemptFacts, deliveryLeaf } from './delivery-leaf.js';
export type { FlowDeps } from './deps.js';
export * from './directory/index.js';
export {
  applyEndpointPlan,
  endpointAppliers,
  type EndpointDeps,
  type EndpointPlan,
  type EndpointRefusal,
  endpointState,
  endpointTarget,
  endpointView,
  OLD_SECRETS,
  planEndpoint,
  planEndpointChange,
  planEndpointSecret,
  redriveMany,
  redriveOne,
  SECRET_OVERLAP_SECONDS,
  setEndpointState,
  testEndpoint,
} from './endpoints.js';
export { evaluate, type EvaluateOutcome } from './evaluate.js';
export { explainRequest, explanationDigestOf } from './explain.js';
export {
  type Applier,
  type Appliers,
  type ApprovedChange,
  type ConfigChangeDeps,
  configChangeView,
  type FourEyes,
  gateChange,
  proposeChange,
  type ProposedChange,
  type Proposer,
  secondPerson,
  settleChanges,
} from './config-change.js';
export { endFreeze, type FreezeDeps, type FreezeRefusal, freezeView, liftFreeze, placeFreeze } from './freezes.js';
export { freshGrant, type FreshGrantOutcome } from './fresh-grant.js';
export { liveGrant } from './grant.js';
export { maskSubmission, type NotAllowed, type NotAllowedCode, open, type OpenInput, type OpenOutcome } from './open.js';
export { patternText, revokePattern, seesPattern } from './patterns.js';
export { createPolicySource, type PolicySource } from './policies.js';
export { comparePolicies } from './policy-compare.js';
export {
  activatePolicy,
  type ActivateOutcome,
  activationView,
  policyApplier,
  policyChange,
  type PolicyControlDeps,
  putInForce,
  storePolicy,
} from './policy-control.js';
export { recordedBatches, recordedCards } from './recorded-cards.js';
export { receiptOf, type ReceiptOutcome } from './receipt.js';
export { asOfNow } from './as-of-now.js';
export { markOpened, type OpenedOutcome } from './opened.js';
export { accept, type AcceptOutcome, propose, type ProposalOutcome } from './proposals.js';
export { type Answerer, answer, ask, type QuestionOutcome } from './questions.js';
export { review, type ReviewOutcome } from './reviews.js';
export { standAside, type StandAsideOutcome } from './stand-aside.js';
export { fireTimer, type TimerDeps } from './timers.js';
export { redeem, type RedeemOutcome } from './redeem.js';
export { report, type ReportOutcome } from './report.js';
export { expire } from './settle.js';
export { CHAT_LINK_SECONDS, linkCodeHash, linkTokenHash, newLinkCode } from './chat-links.js';
export { loneLeaf, type LoneFact } from './lone-leaf.js';
export { MAIL_LINK_SECONDS, mailIdOf, type MailLinkDeps, mailLink, openMailLink, type OpenedMail } from './mail-links.js';
export { noticeOf } from './notices.js';
export { type DigestDeps, makeDigests, waitingRequests } from './digests.js';
export { hasDecided, isNeeded } from './waiting.js';
export { leafContext, leafMaker, openPayload, type OpenPayload } from './record-key.js';
export { finishVoiding, revokedReason, type VoidingDeps, voidRequestsOf } from './void-requests.js';
export { timelineOf } from './timeline.js';
export { INTENT_SECONDS, stepUpLink, type StepUpPress } from './step-up.js';
export { reveal, type Revealable, revealables, type RevealInput, type RevealOutcome } from './reveal.js';
export { type CallerCall, makeCall, type NamedAccount, nameAccount, preparedAppliers, preparedCallers, toPayload } from './prepared-calls.js';
export { type ChatPlaceDeps, chatPlaceView, decidePlace, placeAppliers, type PlaceDecided } from './chat-places.js';
export {
  insertSlackLink,
  newSlackLink,
  SLACK_LINK_SECONDS,
  slackAppliers,
  slackInstall,
  type SlackInstallDeps,
  slackInstallationView,
  slackLinkPayload,
  slackTokenContext,
  slackUninstall,
} from './slack-installations.js';
