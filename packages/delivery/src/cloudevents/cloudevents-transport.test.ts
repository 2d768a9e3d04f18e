import { describe, expect, test } from '@jest/globals';
import { callbackBytes, type Envelope } from '@countersign/core/outcome';
import { HTTP, type CloudEvent } from 'cloudevents';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { transportConformance } from '../conformance.js';
import { httpHarness, LOOPBACK, SECRET } from '../testing/http-harness.js';
import { createCloudEventsTransport } from './index.js';

transportConformance('CloudEvents', () => httpHarness(createCloudEventsTransport));

describe('CloudEvents', () => {
  test('D1, I8: the SDK of the CloudEvents project reads and validates the event, and the Standard Webhooks library its signature', async () => {
    const arrivals: { headers: IncomingHttpHeaders; body: Buffer }[] = [];
    const server = createServer((request, response) => {
      void buffer(request).then((body) => {
        arrivals.push({ headers: request.headers, body });
        response.writeHead(204).end();
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const transport = createCloudEventsTransport({ policy: LOOPBACK, now: Date.now });
    try {
      const id = 'msg_01900000-0000-7000-8000-000000000001';
      const endpoint = 'ep_01900000-0000-7000-8000-000000000002';
      const envelope: Envelope = { format: 'cloudevents', id, source: 'https://countersign.example.com', subject: endpoint };
      const body = callbackBytes({ type: 'endpoint.tested', timestamp: '2026-11-21T12:00:00.000Z', data: { endpoint } }, envelope);
      // A TCP server's address is an object.
      const { port } = server.address() as AddressInfo;
      const message = { id, type: 'endpoint.tested', body, attempt: 1, timestamp: Math.floor(Date.now() / 1000) };
      const target = { url: `http://127.0.0.1:${port}/`, hmacSecrets: [SECRET] };
      expect(await transport.attempt(message, target, new AbortController().signal)).toMatchObject({ kind: 'delivered' });
    } finally {
      await transport.close();
      await once(server.close(), 'close');
    }
    const [arrival] = arrivals;
    if (arrival === undefined) throw new Error('nothing came');
    const headers = Object.fromEntries(Object.entries(arrival.headers).map(([name, value]) => [name, String(value)]));
    expect(headers['content-type']).toMatch(/^application\/cloudevents\+json/);
    expect(() => new Webhook(SECRET).verify(arrival.body, headers)).not.toThrow();
    const read = HTTP.toEvent<unknown>({ headers, body: arrival.body.toString('utf8') });
    // One event, not a batch.
    const event = read as CloudEvent<unknown>;
    expect(event.validate()).toBe(true);
    expect(event.toJSON()).toMatchObject({
      specversion: '1.0',
      id: 'msg_01900000-0000-7000-8000-000000000001',
      source: 'https://countersign.example.com',
      type: 'endpoint.tested',
      subject: 'ep_01900000-0000-7000-8000-000000000002',
      time: '2026-11-21T12:00:00.000Z',
      datacontenttype: 'application/json',
      data: { endpoint: 'ep_01900000-0000-7000-8000-000000000002' },
    });
  });
});
