import { createSignedPost, type SignedPostOptions } from '../signed-post/signed-post.js';
import type { Transport } from '../transport.js';

export type WebhookOptions = SignedPostOptions;

/** Standard Webhooks 1.0.0: the stored bytes as JSON. */
export function createWebhookTransport(options: WebhookOptions): Transport {
  return createSignedPost({ kind: 'webhook', contentType: 'application/json' }, options);
}
