import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type IdentityProvider, startIdentityProvider } from '@countersign/dev-env/identity-provider';
import { readConfig } from '@countersign/service';
import { identityChecks } from '../doctor/identity.js';

const publicUrl = 'https://approve.example.com';
let idp: IdentityProvider;
beforeAll(async () => {
  idp = await startIdentityProvider({ client: { publicUrl, ids: ['sso'] } });
});
afterAll(() => idp.close());

async function checksOf(env: Record<string, string>) {
  const read = readConfig({ COUNTERSIGN_DIRECTORY: 'people.yaml', PUBLIC_URL: publicUrl, OIDC_CLIENT_ID: 'countersign', ...env });
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  const checks = await identityChecks(read.config);
  return Object.fromEntries(checks.map(({ name, status, says }) => [name, { status, says }]));
}

describe('doctor, on the identity provider', () => {
  test('C5: a provider that is set up has nothing that fails', async () => {
    const checks = await checksOf({ OIDC_ISSUER: idp.issuer });
    expect(Object.keys(checks)).toEqual(['sign-in', 'sign-in keys', 'sign-in clock', 'sign-in redirect']);
    expect(Object.values(checks).filter(({ status }) => status !== 'ok')).toEqual([]);
  });

  test('C5: an address that the provider does not know, or another client', async () => {
    expect((await checksOf({ OIDC_ISSUER: idp.issuer, PUBLIC_URL: 'https://other.example.com' }))['sign-in redirect']).toMatchObject({ status: 'fail' });
    expect((await checksOf({ OIDC_ISSUER: idp.issuer, OIDC_CLIENT_ID: 'nobody' }))['sign-in redirect']).toMatchObject({ status: 'fail' });
    expect((await checksOf({ OIDC_ISSUER: idp.issuer, PUBLIC_URL: 'http://approve.example.com' }))['sign-in redirect']).toMatchObject({ status: 'fail' });
  });

  test('C5: an issuer that is written otherwise, is none, or cannot be reached', async () => {
    expect((await checksOf({ OIDC_ISSUER: `${idp.issuer}/` }))['sign-in']).toMatchObject({ status: 'fail', says: expect.stringContaining('calls itself') });
    expect((await checksOf({ OIDC_ISSUER: `${idp.issuer}/realm` }))['sign-in']).toMatchObject({ status: 'fail', says: expect.stringContaining('404') });
    expect((await checksOf({ OIDC_ISSUER: 'http://localhost:1' }))['sign-in']).toMatchObject({
      status: 'fail',
      says: expect.stringContaining('cannot be read'),
    });
  });

  test('C5: a clock that is far from ours refuses good tokens', async () => {
    const metadata = await (await fetch(`${idp.issuer}/.well-known/openid-configuration`)).json();
    const late = createServer((_request, response) => {
      response.setHeader('date', new Date(Date.now() - 120_000).toUTCString());
      response.end(JSON.stringify({ ...(metadata as object), issuer: `http://localhost:${(late.address() as AddressInfo).port}` }));
    });
    await new Promise<void>((resolve) => late.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = late.address() as AddressInfo;
      expect((await checksOf({ OIDC_ISSUER: `http://localhost:${port}` }))['sign-in clock']).toMatchObject({ status: 'fail' });
    } finally {
      late.close();
    }
  });
});
