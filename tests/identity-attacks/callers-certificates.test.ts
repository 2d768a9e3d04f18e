import { type ApiWorld, createApiWorld, EXPORT } from '@countersign/intake/testing';
import { type Certificate, makeCertificate } from '@countersign/dev-env/certificates';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createHash, randomUUID, X509Certificate } from 'node:crypto';
import { request as httpsRequest } from 'node:https';

/** Callers by TLS client certificate (RFC 8705): shown to us, or to a proxy that we trust. */
const RIGHTS = { actors: ['*'], actions: ['*'], environments: ['*'], redeem: true };
const thumbprintOf = ({ cert }: Certificate): string => createHash('sha256').update(new X509Certificate(cert).raw).digest('base64url');

const authority = makeCertificate('Runners CA', { ca: true });
const stranger = makeCertificate('Other CA', { ca: true });
const runner = makeCertificate('runner-1', { by: authority, dns: ['runner-1.example.com'], uris: ['spiffe://example.com/runner'] });
const renewed = makeCertificate('runner-1', { by: authority, dns: ['runner-1.example.com'] });
const pinned = makeCertificate('pinned');

describe('over TLS', () => {
  let world: ApiWorld;
  const server = makeCertificate('localhost', { dns: ['localhost'] });
  beforeAll(async () => {
    world = await createApiWorld({ tls: { cert: server.cert, key: server.key, clientCa: authority.cert } });
  });
  afterAll(() => world.close());

  const call = (
    method: string,
    path: string,
    options: { certificate?: Certificate; as?: string; body?: object; headers?: Record<string, string> } = {},
  ): Promise<{ status: number; json: Record<string, unknown> }> =>
    new Promise((resolve, reject) => {
      const { certificate, as, body, headers = {} } = options;
      const sent = httpsRequest(
        `${world.url}${path}`,
        {
          method,
          ca: server.cert,
          agent: false,
          ...(certificate === undefined ? {} : { cert: certificate.cert, key: certificate.key }),
          headers: {
            ...(as === undefined ? {} : { authorization: `Bearer ${as}` }),
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
            ...headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, json: JSON.parse(Buffer.concat(chunks).toString('utf8') || 'null') }));
        },
      );
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  const create = async (certificate: object): Promise<string> => {
    const made = await call('POST', '/v1/api-keys', {
      as: world.tokens.olivia,
      body: { name: 'runner', owner: 'dana@example.com', rights: RIGHTS, certificate },
    });
    expect(made).toMatchObject({ status: 201, json: { kind: 'certificate', key: null, prefix: null, binding: certificate } });
    return String(made.json['id']);
  };
  const submit = (certificate: Certificate, headers: Record<string, string> = {}) =>
    call('POST', '/v1/action-requests', { certificate, body: EXPORT, headers: { 'idempotency-key': randomUUID(), ...headers } });
  const revoke = (id: string) => call('POST', `/v1/api-keys/${id}/revoke`, { as: world.tokens.olivia, body: {} });

  test('C5: a certificate that is pinned by its thumbprint is its caller, whoever signed it', async () => {
    const id = await create({ thumbprint: thumbprintOf(pinned) });
    const { status, json } = await submit(pinned);
    expect(status).toBe(201);
    expect(json['requester']).toMatchObject({ id, authenticated: { method: 'client_certificate' } });
    // Another key under the same name is another certificate.
    expect((await submit(makeCertificate('pinned'))).status).toBe(401);
    await revoke(id);
    expect((await submit(pinned)).status).toBe(401);
  });

  test('C5: a name counts where the operator’s authority gave it, also in the certificate that comes after', async () => {
    const id = await create({ san: 'DNS:runner-1.example.com' });
    for (const certificate of [runner, renewed]) expect((await submit(certificate)).json['requester']).toMatchObject({ id });
    for (const certificate of [
      makeCertificate('runner-1', { by: stranger, dns: ['runner-1.example.com'] }),
      makeCertificate('runner-1', { dns: ['runner-1.example.com'] }),
      makeCertificate('runner-1.example.com', { by: authority }),
      makeCertificate('x', { by: authority, dns: ['runner-10.example.com', 'RUNNER-1.example.com.evil.example'] }),
      // Node would write this one as two names, were it not quoted.
      makeCertificate('x', { by: authority, uris: ['http://x, DNS:runner-1.example.com, y'] }),
    ])
      expect((await submit(certificate)).status).toBe(401);
    await revoke(id);
  });

  test('C5: a certificate that leads to two callers leads to none', async () => {
    const [one, two] = [await create({ san: 'URI:spiffe://example.com/runner' }), await create({ thumbprint: thumbprintOf(runner) })];
    expect((await submit(runner)).status).toBe(401);
    await revoke(two);
    expect((await submit(runner)).status).toBe(201);
    await revoke(one);
  });

  test('C4: a caller by certificate decides nothing and administers nothing; a bearer beside it wins', async () => {
    const id = await create({ thumbprint: thumbprintOf(pinned) });
    const { json } = await submit(pinned);
    const decision = { verdict: 'approve', request_digest: json['request_digest'] };
    expect((await call('POST', `/v1/action-requests/${String(json['id'])}/decisions`, { certificate: pinned, body: decision })).status).toBe(403);
    expect((await call('GET', '/v1/api-keys', { certificate: pinned })).status).toBe(403);
    expect((await call('GET', '/v1/api-keys', { certificate: pinned, as: world.tokens.olivia })).status).toBe(200);
    expect((await call('GET', '/v1/action-requests', { certificate: pinned, as: 'cs_key_bad' })).status).toBe(401);
    await revoke(id);
  });

  test('C5: a page of another site cannot use a browser’s certificate', async () => {
    const id = await create({ thumbprint: thumbprintOf(pinned) });
    expect((await submit(pinned, { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' })).json['code']).toBe('cross_site_request');
    expect((await submit(pinned)).status).toBe(201);
    await revoke(id);
  });

  test('C5: what a client writes into a header is no certificate', async () => {
    const id = await create({ thumbprint: thumbprintOf(pinned) });
    const pem = encodeURIComponent(pinned.cert);
    const der = `:${new X509Certificate(pinned.cert).raw.toString('base64')}:`;
    for (const [name, value] of [
      ['client-cert', der],
      ['x-client-cert', pem],
      ['x-forwarded-client-cert', `Hash=${createHash('sha256').update(new X509Certificate(pinned.cert).raw).digest('hex')}`],
    ] as const) {
      const reply = await call('POST', '/v1/action-requests', { body: EXPORT, headers: { 'idempotency-key': randomUUID(), [name]: value } });
      expect(reply.status).toBe(401);
    }
    await revoke(id);
  });
});

describe('behind a proxy', () => {
  const der = ({ cert }: Certificate): string => `:${new X509Certificate(cert).raw.toString('base64')}:`;
  const keyOf = async (world: ApiWorld) => {
    const reply = await world.call('POST', '/v1/api-keys', {
      as: world.tokens.olivia,
      body: { name: 'runner', owner: 'dana@example.com', rights: RIGHTS, certificate: { thumbprint: thumbprintOf(pinned) } },
    });
    expect(reply.status).toBe(201);
  };
  const send = (world: ApiWorld, headers: Record<string, string>) =>
    world.call('POST', '/v1/action-requests', { body: EXPORT, headers: { 'idempotency-key': randomUUID(), ...headers } });

  test('C5: the header of a trusted proxy is believed, in both of its forms', async () => {
    const world = await createApiWorld({ trustedProxies: ['127.0.0.1'], clientCertHeader: 'client-cert' });
    try {
      await keyOf(world);
      expect((await send(world, { 'client-cert': der(pinned) })).status).toBe(201);
      expect((await send(world, { 'client-cert': encodeURIComponent(pinned.cert) })).status).toBe(201);
      for (const value of ['', ':!!:', ':AAAA:', '%', 'x', der(runner)]) expect((await send(world, { 'client-cert': value })).status).toBe(401);
      expect((await send(world, { 'x-client-cert': der(pinned) })).status).toBe(401);
    } finally {
      await world.close();
    }
  });

  test('C5: that of anybody else is air, whatever X-Forwarded-For says; and without the setting it is air, too', async () => {
    for (const options of [{ trustedProxies: ['10.0.0.0/8'], clientCertHeader: 'client-cert' }, { trustedProxies: ['127.0.0.1'] }]) {
      const world = await createApiWorld(options);
      try {
        await keyOf(world);
        expect((await send(world, { 'client-cert': der(pinned), 'x-forwarded-for': '10.0.0.1' })).status).toBe(401);
      } finally {
        await world.close();
      }
    }
  });
});
