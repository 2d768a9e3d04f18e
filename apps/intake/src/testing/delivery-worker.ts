import { createCloudEventsTransport, createDeliverer, createWebhookTransport, type DelivererOptions } from '@countersign/delivery';
import { deliveryLeaf, endpointTarget } from '@countersign/core/flow';
import { maskText } from '@countersign/core/masking';
import { openWebhookSecret } from '@countersign/identity';
import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { ApiWorld } from './api-world.js';

/** A worker as the composition root makes it, over the world's database; more than one may run. */
export function deliveryWorker(world: ApiWorld, options: Partial<DelivererOptions> = {}) {
  const posting = {
    policy: { allow: [], loopback: true },
    signer: { sign: (bytes: Uint8Array) => world.keyring.signer('outcome').sign(bytes) },
    now: Date.now,
  };
  const transports = { standard: createWebhookTransport(posting), cloudevents: createCloudEventsTransport(posting) };
  const { flow, store } = world;
  const deliverer = createDeliverer({
    store: store.deliveries,
    transport: transports.standard,
    open: (delivery) =>
      flow.sealer.open({ tenant: delivery.tenant, table: 'deliveries', row: delivery.message_id, column: 'sealed_body' }, delivery.sealed_body),
    async targetOf(delivery) {
      if (delivery.target.kind === 'endpoint') {
        const found = await endpointTarget({ endpoints: store.endpoints, sealer: flow.sealer }, delivery.tenant, delivery.target.endpoint_id);
        return found.kind === 'target' ? { ...found, transport: transports[delivery.format ?? 'standard'] } : found;
      }
      const key = await store.credentials.apiKey(delivery.tenant, delivery.api_key_id);
      return key === null
        ? { kind: 'unknown', detail: 'no key' }
        : { kind: 'target', target: { url: delivery.target.url, hmacSecrets: [await openWebhookSecret(flow.sealer, key)] } };
    },
    leafOf: (delivery, { result, status, next }) =>
      delivery.event === 'endpoint.tested' ? null : deliveryLeaf(flow, delivery, { result, status, next: next.kind === 'retry' ? 'retry' : next.state }),
    maskPreview: (text) => maskText(text, { paths: [], key: flow.entropy.bytes(32) }).masked,
    clock: flow.clock,
    random: () => 0.5,
    log: { info: () => {}, error: () => {} },
    ...options,
  });
  return {
    deliverer,
    /** Attempts what is due until nothing is. */
    async drain(): Promise<void> {
      for (;;) if ((await deliverer.runDue(50)).length === 0) return;
    },
    async close(): Promise<void> {
      await deliverer.stop(AbortSignal.abort());
      await Promise.all(Object.values(transports).map((transport) => transport.close()));
    },
  };
}

/** A callback as it came. */
export interface Arrival {
  path: string;
  headers: Record<string, string>;
  bytes: Buffer;
  /** The parsed body. `any`, since tests say themselves what they expect of it. */
  // oxlint-disable-next-line typescript/no-explicit-any -- see above
  json: any;
  response: ServerResponse;
}

/** A receiver that answers 204 unless told; `arrivals` in their order. */
export async function startReceiver() {
  const arrivals: Arrival[] = [];
  const events = new EventEmitter();
  let answer: (arrival: Arrival) => void = ({ response }) => response.writeHead(204).end();
  const flat = (headers: IncomingHttpHeaders) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
  const server = createServer((request, response) => {
    void buffer(request).then((bytes) => {
      const arrival = { path: request.url ?? '', headers: flat(request.headers), bytes, json: JSON.parse(bytes.toString('utf8')), response };
      arrivals.push(arrival);
      answer(arrival);
      events.emit('arrival');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A TCP server's address is an object.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    arrivals,
    /** What it answers from now on. */
    answerBy: (next: (arrival: Arrival) => void) => void (answer = next),
    answerWith: (status: number, headers: Record<string, string> = {}, body = '') =>
      void (answer = ({ response }) => response.writeHead(status, headers).end(body)),
    async until(count: number): Promise<void> {
      while (arrivals.length < count) await once(events, 'arrival');
    },
    async close(): Promise<void> {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
}
