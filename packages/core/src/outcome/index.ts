export { answerOf, reportView } from './answer.js';
export { actionOf, DEFAULT_GRANT_TTL_SECONDS, GRANT_TYPE, signGrant } from './grant.js';
export {
  CALLBACK_AIM_BYTES,
  callbackBytes,
  decisionCallback,
  endpointKeyOf,
  type Envelope,
  openedCallback,
  questionCallback,
  outcomeCallback,
  type RequestCallback,
} from './callback.js';
export { proposalView, questionView, reviewView } from './follow-ups.js';
export { decisionView, outcomeOf } from './outcome.js';
