export { parseCallbackAllow, type AddressRefusal, type AllowEntry, type CallbackPolicy, type ParsedAllowList } from './address-guard.js';
export { checkCallbackUrl, MAX_CALLBACK_URL_LENGTH, type CallbackUrlCheck, type CallbackUrlRefusal } from './callback-url.js';
export { DeliveryError, type DeliveryErrorCode } from './errors.js';
export { createGuardedGet, type GuardedGetOptions } from './guarded-get.js';
export { guardedConnector, type GuardOptions, type ResolvedAddress } from './guarded-connector.js';
export { MAX_ATTEMPTS, nextAttempt, RETRY_DELAYS_SECONDS } from './retry-schedule.js';
export {
  decodePublicKey,
  encodeHmacSecret,
  encodePublicKey,
  signerOfPrivateKey,
  signWebhook,
  verifyWebhook,
  type SignedContent,
  type TrustedKeys,
  type WebhookHeaders,
  type WebhookKeys,
  type WebhookSigner,
  type WebhookVerification,
} from './standard-webhooks.js';
export type { AttemptResult, FailedAttempt, FailureReason, OutboundMessage, Target, Transport } from './transport.js';
export { createCloudEventsTransport, type CloudEventsOptions } from './cloudevents/index.js';
export { createWebhookTransport, type WebhookOptions } from './webhook/index.js';
export {
  createDeliverer,
  DEFAULT_LIMITS,
  type AttemptEnd,
  type ClaimEnd,
  type Deliverer,
  type DelivererOptions,
  type DeliveryLimits,
  type DeliveryLog,
  type DeliveryMetrics,
  type TargetAnswer,
} from './deliver.js';
