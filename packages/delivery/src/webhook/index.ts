export { ATTEMPT_TIMEOUT_MS, CONNECT_TIMEOUT_MS, createWebhookTransport, MAX_ANSWER_BYTES, type WebhookOptions } from './webhook-transport.js';
