export { createWebhookTransport, type WebhookOptions } from './webhook-transport.js';
