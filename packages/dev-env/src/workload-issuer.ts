import { getIDToken } from '@actions/core';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

/** An issuer of workload tokens that speaks the wire of the real ones: discovery, JWKS, and GitHub Actions' token endpoint. */
export interface WorkloadIssuer {
  /** `iss` of its tokens. */
  issuer: string;
  /** Signs claims over those of a good token; `iss`, `aud` and the times can be replaced, `undefined` leaves a claim out. */
  token(claims?: Record<string, unknown>, options?: { header?: Record<string, unknown>; key?: 'old' | 'new' }): Promise<string>;
  /** Makes a new key and signs with it; the old one stays published unless told. */
  rotate(options?: { keepOld?: boolean }): Promise<void>;
  /** The published keys. */
  jwks(): { keys: object[] };
  /** The key that signs now, as PEM of its public half. */
  publicPem(): Promise<string>;
  /** What a job's environment says, for `getIDToken` of @actions/core. */
  actionsEnvironment(claims?: Record<string, unknown>): { ACTIONS_ID_TOKEN_REQUEST_URL: string; ACTIONS_ID_TOKEN_REQUEST_TOKEN: string };
  /** How often its documents were read. */
  reads: { discovery: number; jwks: number };
  /** Breaks or mends its documents; its tokens can be made all the same. */
  down: boolean;
  /** Replaces what discovery says. */
  discovery: Record<string, unknown>;
  close(): Promise<void>;
}

/** What a step of a job does: the real package of GitHub asks the issuer for a token, by what the environment says. */
export async function tokenOfJob(issuer: WorkloadIssuer, audience: string, claims: Record<string, unknown> = {}): Promise<string> {
  Object.assign(process.env, issuer.actionsEnvironment(claims));
  return getIDToken(audience);
}

/** The claims of a job on GitHub Actions (GitHub's reference of the OIDC token), with another audience. */
export const GITHUB_CLAIMS = {
  sub: 'repo:acme/shop:environment:production',
  repository: 'acme/shop',
  repository_id: '74',
  repository_owner: 'acme',
  repository_owner_id: '65',
  repository_visibility: 'private',
  actor: 'dana-dev',
  actor_id: '12',
  workflow: 'deploy',
  workflow_ref: 'acme/shop/.github/workflows/deploy.yml@refs/heads/main',
  job_workflow_ref: 'acme/shop/.github/workflows/deploy.yml@refs/heads/main',
  event_name: 'push',
  environment: 'production',
  ref: 'refs/heads/main',
  ref_type: 'branch',
  ref_protected: 'true',
  run_id: '812',
  run_number: '10',
  run_attempt: '2',
  runner_environment: 'github-hosted',
  sha: '0123456789abcdef0123456789abcdef01234567',
} as const;

/** Starts one on a loopback port. */
export async function startWorkloadIssuer(options: { audience: string; claims?: Record<string, unknown>; now?: () => number }): Promise<WorkloadIssuer> {
  const { audience, claims: usual = GITHUB_CLAIMS, now = Date.now } = options;
  const reads = { discovery: 0, jwks: 0 };
  type Signing = { kid: string; privateKey: CryptoKey; jwk: object };
  const make = async (): Promise<Signing> => {
    const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
    const kid = randomUUID();
    return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' } };
  };
  let current = await make();
  let previous = current;
  let published = [current.jwk];
  const pending = new Map<string, Record<string, unknown>>();

  const server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', world.issuer);
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (url.pathname === '/actions/token') {
      const claims = pending.get((request.headers.authorization ?? '').replace(/^Bearer /, ''));
      if (claims === undefined) return answer(401, {});
      void world.token({ ...claims, aud: url.searchParams.get('audience') ?? undefined }).then((value) => answer(200, { value }));
      return;
    }
    if (world.down) return answer(503, {});
    if (url.pathname === '/.well-known/openid-configuration') {
      reads.discovery += 1;
      return answer(200, { issuer: world.issuer, jwks_uri: `${world.issuer}/keys`, ...world.discovery });
    }
    if (url.pathname === '/keys') {
      reads.jwks += 1;
      return answer(200, { keys: published });
    }
    answer(404, {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // A TCP server's address is an object.
  const { port } = server.address() as AddressInfo;

  const world: WorkloadIssuer = {
    issuer: `http://127.0.0.1:${port}`,
    reads,
    down: false,
    discovery: {},
    async token(claims = {}, { header = {}, key = 'new' } = {}) {
      const iat = Math.floor(now() / 1000);
      const payload = { ...usual, iss: world.issuer, aud: audience, jti: randomUUID(), iat, nbf: iat - 5, exp: iat + 300, ...claims };
      const { kid, privateKey } = key === 'new' ? current : previous;
      const given = Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined));
      return new SignJWT(given).setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid, ...header }).sign(privateKey);
    },
    async rotate({ keepOld = true } = {}) {
      previous = current;
      current = await make();
      published = keepOld ? [...published, current.jwk] : [current.jwk];
    },
    jwks: () => ({ keys: published }),
    async publicPem() {
      const { importJWK, exportSPKI } = await import('jose');
      return exportSPKI((await importJWK(current.jwk as { kty: string }, 'RS256', { extractable: true })) as CryptoKey);
    },
    actionsEnvironment(claims = {}) {
      const token = randomUUID();
      pending.set(token, claims);
      return { ACTIONS_ID_TOKEN_REQUEST_URL: `${world.issuer}/actions/token?api-version=2.0`, ACTIONS_ID_TOKEN_REQUEST_TOKEN: token };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return world;
}
