/** What a caller installs: ask before you act, wait, and run exactly what was approved, once. */
export { type Client, type ClientOptions, createClient, type SubmitOptions, type WaitOptions, type Withdrawal } from './client.js';
export { ClientError, type ClientErrorCode } from './errors.js';
export { actionDigestOf, type FrozenAction, freezeAction } from './frozen-action.js';
export { readGrant, verifyGrant, type VerifyGrantOptions } from './grant.js';
export type { GuardOptions, GuardResult, NotRun, RunOptions } from './guard.js';
export {
  type MessageHeaders,
  outcomeReceiver,
  type OutcomeMessage,
  type ReceiverAnswer,
  type ReceiverOptions,
  verifyMessage,
  type VerifiedMessage,
  verifyOutcome,
  type VerifyOptions,
} from './webhook.js';
export type * from './types.js';
