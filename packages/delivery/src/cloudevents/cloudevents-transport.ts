import { createSignedPost, type SignedPostOptions } from '../signed-post/signed-post.js';
import type { Transport } from '../transport.js';

export type CloudEventsOptions = SignedPostOptions;

/**
 * CloudEvents 1.0.2 over HTTP in structured content mode (HTTP Protocol Binding, section 3.2). The stored bytes are the whole event, so
 * that the Standard Webhooks signature covers its attributes too.
 */
export function createCloudEventsTransport(options: CloudEventsOptions): Transport {
  return createSignedPost({ kind: 'cloudevents', contentType: 'application/cloudevents+json; charset=utf-8' }, options);
}
