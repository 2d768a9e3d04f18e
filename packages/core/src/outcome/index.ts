export { answerOf, reportView } from './answer.js';
export { actionOf, DEFAULT_GRANT_TTL_SECONDS, GRANT_TYPE, signGrant } from './grant.js';
export { callbackBytes, decisionView, outcomeOf } from './outcome.js';
