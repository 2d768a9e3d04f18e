import { afterEach, describe, expect, test } from '@jest/globals';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { Outcome } from './types.js';
import { outcomeReceiver } from './webhook.js';

/* The ten lines of docs/caller.md for each framework, with signed and forged deliveries over real HTTP. */
const { webhooks, secret }: any = JSON.parse(readFileSync(path.resolve(import.meta.dirname, '../vectors/vectors.json'), 'utf8'));
// White space and key order that no parser and writer would give back: the signature holds for these bytes alone.
const body: string = ` ${webhooks[0].body}\n`;

let seen: Outcome[] = [];
let fault: Error | undefined;
const receive = outcomeReceiver({
  secret,
  onOutcome: (outcome) => {
    if (fault !== undefined) throw fault;
    seen.push(outcome);
  },
});

let stop: (() => Promise<unknown>) | undefined;
afterEach(async () => {
  await stop?.();
  stop = undefined;
  seen = [];
  fault = undefined;
});

const frameworks: Record<string, () => Promise<(headers: Record<string, string>) => Promise<number>>> = {
  async express() {
    const app = express();
    app.post('/hooks/countersign', express.raw({ type: '*/*' }), async (request, response) => {
      const { status, detail } = await receive(request.body, request.headers);
      response.status(status).send(detail);
    });
    const server = app.listen(0, '127.0.0.1');
    stop = () => new Promise((resolve) => server.close(resolve));
    await new Promise((resolve) => server.once('listening', resolve));
    return over((server.address() as AddressInfo).port);
  },
  async fastify() {
    const app = fastify();
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, raw, done) => done(null, raw));
    app.post<{ Body: Buffer }>('/hooks/countersign', async (request, reply) => {
      const { status, detail } = await receive(request.body, request.headers);
      return reply.code(status).send(detail);
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    stop = () => app.close();
    return over((app.server.address() as AddressInfo).port);
  },
  async hono() {
    const app = new Hono();
    app.post('/hooks/countersign', async (c) => {
      const { status, detail } = await receive(new Uint8Array(await c.req.arrayBuffer()), c.req.raw.headers);
      return new Response(detail, { status });
    });
    return async (headers) => (await app.request('/hooks/countersign', { method: 'POST', body, headers })).status;
  },
};

describe.each(Object.keys(frameworks))('%s', (name) => {
  test('D1: a signed outcome arrives; a forged, a replayed and one that fails inside are answered so', async () => {
    const deliver = await (frameworks[name] ?? fail)();
    const seconds = Math.floor(Date.now() / 1000);
    expect(await deliver(signed(seconds))).toBe(204);
    expect(seen).toMatchObject([{ status: 'denied', reason: 'Größe 😀' }]);
    expect(await deliver({ ...signed(seconds), 'webhook-signature': `v1,${Buffer.alloc(32).toString('base64')}` })).toBe(401);
    expect(await deliver(signed(seconds - 3600))).toBe(401);
    const { 'webhook-id': _, ...rest } = signed(seconds);
    expect(await deliver(rest)).toBe(400);
    fault = new Error('the database is away');
    expect(await deliver(signed(seconds))).toBe(500);
    expect(seen).toHaveLength(1);
  });
});

test('D1: another event that an endpoint is sent is taken, and is no outcome', async () => {
  const other = '{"type":"endpoint.tested","timestamp":"2026-11-18T11:06:40.000Z","data":{}}';
  expect(await receive(other, signed(Math.floor(Date.now() / 1000), other))).toEqual({ status: 204 });
  expect(seen).toEqual([]);
});

function fail(): never {
  throw new Error('no such framework');
}

function over(port: number) {
  return async (headers: Record<string, string>) => (await fetch(`http://127.0.0.1:${port}/hooks/countersign`, { method: 'POST', body, headers })).status;
}

function signed(seconds: number, text = body): Record<string, string> {
  const mac = createHmac('sha256', Buffer.from(String(secret).slice('whsec_'.length), 'base64')).update(`msg_1.${seconds}.${text}`);
  return { 'content-type': 'application/json', 'webhook-id': 'msg_1', 'webhook-timestamp': String(seconds), 'webhook-signature': `v1,${mac.digest('base64')}` };
}
