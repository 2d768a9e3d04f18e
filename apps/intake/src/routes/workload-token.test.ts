import { exchangedTokenSchema } from '@countersign/contracts';
import { GITHUB_CLAIMS, startWorkloadIssuer, tokenOfJob, type WorkloadIssuer } from '@countersign/dev-env/workload-issuer';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { base64url as b64, SignJWT, generateKeyPair } from 'jose';
import { createHmac } from 'node:crypto';
import { type ApiWorld, createApiWorld, type Reply } from '../testing/api-world.js';

let world: ApiWorld;
let github: WorkloadIssuer;
beforeAll(async () => {
  world = await createApiWorld();
  github = await startWorkloadIssuer({ audience: world.url, now: () => Date.now() + world.ahead * 1000 });
  await world.trust(trust());
});
afterAll(async () => {
  await world.close();
  await github.close();
});

/** One rule for production deployments of acme/shop, as an operator writes it. */
const trust = (more = ''): string => `
trust:
  - caller: deploy shop
    owner: dana@example.com
    platform: github
    human: { unknown: keep }
    issuer: ${github.issuer}
    match:
      repository_id: "74"
      repository: acme/shop
      ref: [refs/heads/main, refs/heads/release/*]
    environment: { claim: environment, values: { production: production, stage: staging } }
    rights: { actors: [retrainer, "ci-*"], actions: ["data.*"], environments: [production, staging], callback_hosts: ["*"], redeem: true }
${more}`;

const FORM = 'urn:ietf:params:oauth:grant-type:token-exchange';
const form = (members: Record<string, string>): { raw: string; headers: Record<string, string> } => {
  const raw = new URLSearchParams(members).toString();
  return { raw, headers: { 'content-type': 'application/x-www-form-urlencoded' } };
};
const exchange = (subject_token: string, headers: Record<string, string> = {}): Promise<Reply> => {
  const sent = form({ grant_type: FORM, subject_token, subject_token_type: 'urn:ietf:params:oauth:token-type:jwt' });
  return world.call('POST', '/v1/token', { raw: sent.raw, headers: { ...sent.headers, 'content-length': String(Buffer.byteLength(sent.raw)), ...headers } });
};
const codeOf = ({ status, json }: Reply): string => `${status} ${json?.code ?? ''}`.trim();
const submit = (as: string, members: object = {}) => world.submit({ environment: undefined, ...members }, { as });

describe('a workload', () => {
  test('exchanges what getIDToken gives for ten minutes, and its request says who asked, by whose hand', async () => {
    const exchanged = await exchange(await tokenOfJob(github, world.url));
    expect(exchangedTokenSchema.parse(exchanged.json)).toEqual(exchanged.json);
    expect(exchanged.json).toMatchObject({ token_type: 'Bearer', expires_in: 600, caller: { name: 'deploy shop' } });
    expect(exchanged.headers['cache-control']).toBe('no-store');
    const { access_token: token, caller } = exchanged.json;

    const { status, json } = await submit(token);
    expect(status).toBe(201);
    expect(json.requester).toMatchObject({
      type: 'workload',
      id: caller.id,
      name: 'deploy shop',
      authenticated: { issuer: github.issuer, method: 'workload_token' },
      workflow: { run: '812', repository: 'acme/shop', job: 'deploy' },
      claims: { repository_id: '74', ref: 'refs/heads/main', sha: GITHUB_CLAIMS.sha },
      fixes: ['environment'],
    });
    expect((await world.store.requests.state('default', json.id))?.request.resolved.environment).toBe('production');
    expect((await world.call('GET', `/v1/action-requests/${json.id}`, { as: token })).status).toBe(200);
    const [event] = await world.store.requests.timeline('default', caller.id).then((leaves) => leaves.filter((leaf) => leaf.event === 'workload.exchanged'));
    expect(event).toBeDefined();
    expect(world.log()).not.toContain(token);

    world.ahead = 601;
    await world.sql(`UPDATE workload_tokens SET expires_at = now() WHERE key_id = '${caller.id}'`);
    expect(codeOf(await world.call('GET', `/v1/action-requests/${json.id}`, { as: token }))).toBe('401 unauthenticated');
    world.ahead = 0;
  });

  test('sends its own token as bearer, once', async () => {
    const token = await github.token();
    expect((await submit(token)).status).toBe(201);
    expect(codeOf(await submit(token))).toBe('401 unauthenticated');
    expect(codeOf(await exchange(token))).toBe('401 unauthenticated');
  });

  test('C4: puts the human of the run into the chain, who decides none of it', async () => {
    await world.sql(
      `INSERT INTO identity_links (tenant, issuer, subject, person_id, how, linked_at) VALUES ('default', 'https://github.com', '77', '${world.people.alice.id}', 'directory', now()) ON CONFLICT DO NOTHING`,
    );
    const request = (await submit(await github.token({ actor_id: '77', actor: 'alice-dev' }))).json;
    expect(request.status).toBe('pending');
    const refused = await world.decide(world.tokens.alice, request, 'approve');
    expect(codeOf(refused)).toBe('403 self_approval');
    expect(refused.json.detail).toContain('you started the run');
    expect((await world.decide(world.tokens.bob, request, 'approve')).status).toBe(201);
  });

  test('C4: whom the directory does not know is refused, for it might be an approver under another name; a rule may keep it', async () => {
    await world.trust(trust().replace('    human: { unknown: keep }\n', ''));
    const unknown = await github.token({ actor_id: '4711', actor: 'bob-by-night' });
    const refused = await exchange(unknown);
    expect(codeOf(refused)).toBe('401 unauthenticated');
    await world.trust(trust());
    expect((await exchange(await github.token({ actor_id: '4711', actor: 'bob-by-night' }))).status).toBe(200);
  });

  test('C4: an approval by the owner of the rule is one by the requester', async () => {
    const request = (await submit(await github.token(), { actor: { type: 'agent', id: 'ci-1' } })).json;
    expect(codeOf(await world.decide(world.tokens.dana, request, 'approve'))).toBe('403 self_approval');
  });

  test('opens what its rights and its environment allow, and no more', async () => {
    const token = (await exchange(await github.token())).json.access_token;
    expect(codeOf(await submit(token, { environment: 'staging' }))).toBe('422 environment_mismatch');
    expect(codeOf(await submit(token, { action: 'iam.grant' }))).toBe('403 action_not_allowed');
    expect(codeOf(await submit(token, { actor: { type: 'agent', id: 'other' } }))).toBe('403 actor_not_allowed');
    expect((await submit(token, { environment: 'production' })).status).toBe(201);
    const staging = (await exchange(await github.token({ environment: 'stage' }))).json.access_token;
    expect((await submit(staging, { resource: { type: 'postgres_table', id: 'stage.customers' }, environment: 'staging' })).status).toBe(201);
  });

  test('C4: neither decides nor makes credentials', async () => {
    const token = (await exchange(await github.token())).json.access_token;
    const request = await world.pending();
    for (const as of [token, await github.token(), world.key]) {
      expect((await world.decide(as, request, 'approve')).status).toBe(403);
    }
    for (const path of ['/v1/api-keys', '/v1/personal-tokens', '/v1/keys/rotate'])
      expect([403, 404]).toContain((await world.call('POST', path, { as: token, body: {} })).status);
  });

  test('stops with its caller: revoked, changed, or of an owner who left', async () => {
    const token = (await exchange(await github.token())).json.access_token;
    const { id } = (await submit(token)).json.requester;
    // The rule is another one now: what was given under the old one is void.
    await world.trust(trust().replace('repository: acme/shop', 'repository: acme/shop\n      runner_environment: github-hosted'));
    expect(codeOf(await submit(token))).toBe('401 unauthenticated');
    await world.trust(trust());
    const again = (await exchange(await github.token())).json.access_token;
    expect((await submit(again)).json.requester.id).toBe(id);
    await world.sql(`UPDATE directory_people SET active = false WHERE id = '${world.people.dana.id}'`);
    try {
      expect(codeOf(await submit(again))).toBe('401 unauthenticated');
      expect(codeOf(await exchange(await github.token()))).toBe('401 unauthenticated');
    } finally {
      await world.sql(`UPDATE directory_people SET active = true WHERE id = '${world.people.dana.id}'`);
    }
    await world.call('POST', `/v1/api-keys/${id}/revoke`, { as: world.tokens.olivia, body: { reason: 'runner broken into' } });
    expect(codeOf(await submit(again))).toBe('401 unauthenticated');
    // It stays revoked though the file still has its rule; another rule is another caller.
    expect(await world.trust(trust())).toMatchObject({ created: [], stay_revoked: ['deploy shop'] });
    expect(codeOf(await exchange(await github.token()))).toBe('401 unauthenticated');
    expect(await world.trust(trust().replace('ref: [', 'ref: [refs/heads/next, '))).toMatchObject({ created: ['deploy shop'] });
    expect(await world.trust(trust())).toMatchObject({ changed: ['deploy shop'] });
    expect((await exchange(await github.token())).status).toBe(200);
  });
});

describe('hostile tokens', () => {
  const seconds = (): number => Math.floor(Date.now() / 1000);

  test.each<[string, (issuer: WorkloadIssuer) => Promise<string>]>([
    ['for another audience', (issuer) => issuer.token({ aud: 'https://elsewhere.example.com' })],
    ['for ours among other audiences', (issuer) => issuer.token({ aud: [world.url, 'https://elsewhere.example.com'] })],
    ['without an audience', (issuer) => issuer.token({ aud: undefined })],
    ['with an audience that is no text', (issuer) => issuer.token({ aud: { 0: world.url } })],
    ['of a repository that was made anew under the old name', (issuer) => issuer.token({ repository_id: '9000' })],
    ['of a repository id as a list', (issuer) => issuer.token({ repository_id: ['74'] })],
    ['of another branch', (issuer) => issuer.token({ ref: 'refs/heads/mainx' })],
    ['of a branch whose name begins like ours', (issuer) => issuer.token({ ref: 'x/refs/heads/release/1' })],
    ['of a pull request', (issuer) => issuer.token({ event_name: 'pull_request' })],
    ['of a pull request from a fork, on our branch', (issuer) => issuer.token({ event_name: 'pull_request_target' })],
    ['without the claim that fixes the environment', (issuer) => issuer.token({ environment: undefined })],
    ['of an environment that the rule does not know', (issuer) => issuer.token({ environment: 'constructor' })],
    ['of an issuer that nobody trusts', (issuer) => issuer.token({ iss: 'https://issuer.example.com' })],
    ['of our issuer, spelled otherwise', (issuer) => issuer.token({ iss: `${issuer.issuer}/` })],
    ['that is over', (issuer) => issuer.token({ iat: seconds() - 400, exp: seconds() - 100 })],
    ['that was issued long ago and lives on', (issuer) => issuer.token({ iat: seconds() - 3600, exp: seconds() + 3600 })],
    ['from the future', (issuer) => issuer.token({ nbf: seconds() + 600, iat: seconds() + 600, exp: seconds() + 900 })],
    ['without an end', (issuer) => issuer.token({ exp: undefined })],
    ['without a beginning', (issuer) => issuer.token({ iat: undefined })],
    ['without an id', (issuer) => issuer.token({ jti: undefined })],
    ['without a subject', (issuer) => issuer.token({ sub: undefined })],
    ['for another use', (issuer) => issuer.token({}, { header: { typ: 'logout+jwt' } })],
    ['with a key of its own in the header', async (issuer) => issuer.token({}, { header: { jwk: issuer.jwks().keys[0] } })],
    ['that says where its keys are', (issuer) => issuer.token({}, { header: { jku: `${issuer.issuer}/keys` } })],
    [
      'without a signature',
      async (issuer) => {
        const [, payload] = (await issuer.token()).split('.');
        return `${b64.encode(JSON.stringify({ alg: 'none', typ: 'JWT' }))}.${payload}.`;
      },
    ],
    [
      'signed with our issuer’s public key as a shared secret',
      async (issuer) => {
        const [, payload] = (await issuer.token()).split('.');
        const body = `${b64.encode(JSON.stringify({ alg: 'HS256', typ: 'JWT' }))}.${payload}`;
        return `${body}.${createHmac('sha256', await issuer.publicPem())
          .update(body)
          .digest('base64url')}`;
      },
    ],
    [
      'signed by somebody else’s key under a kid of ours',
      async (issuer) => {
        const { privateKey } = await generateKeyPair('RS256');
        const kid = (issuer.jwks().keys[0] as { kid: string }).kid;
        return new SignJWT({ ...GITHUB_CLAIMS })
          .setProtectedHeader({ alg: 'RS256', kid })
          .setIssuer(issuer.issuer)
          .setAudience(world.url)
          .setJti('x')
          .setIssuedAt()
          .setExpirationTime('5m')
          .sign(privateKey);
      },
    ],
    [
      'with another payload under the same signature',
      async (issuer) => {
        const [header, , signature] = (await issuer.token()).split('.');
        const [, payload] = (await issuer.token({ ref: 'refs/heads/release/9' })).split('.');
        return `${header}.${payload}.${signature}`;
      },
    ],
  ])('C5: a token %s is refused, by exchange and as bearer', async (_what, make) => {
    for (const reply of [await exchange(await make(github)), await submit(await make(github))]) expect(codeOf(reply)).toBe('401 unauthenticated');
  });

  test('C5: a token by a key that nobody knows opens nothing, and what is too long is not read', async () => {
    // Whether the issuer was asked for its keys a moment ago says which of the two it is.
    const unknown = await github.token({}, { header: { kid: '../../dev/null' } });
    for (const reply of [await exchange(unknown), await submit(unknown)]) expect(['401 unauthenticated', '503 unavailable']).toContain(codeOf(reply));
    const huge = await github.token({ padding: 'x'.repeat(12_400) });
    expect([codeOf(await exchange(huge)), (await submit(huge)).status]).toEqual(['422 invalid_body', 431]);
  });

  test('C5: a replay is refused on every replica, since the database remembers', async () => {
    const token = await github.token();
    const replies = await Promise.all(Array.from({ length: 8 }, () => exchange(token)));
    expect(replies.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 401, 401, 401, 401, 401, 401, 401]);
  });

  test('what does not fit is told to the log, not to the stranger', async () => {
    const reply = await exchange(await github.token({ ref: 'refs/heads/secret-name' }));
    expect(reply.text).not.toContain('deploy shop');
    expect(reply.text).not.toContain('secret-name');
    expect(world.log()).toContain('the claim \\"ref\\" is');
  });

  test('a form that is none is refused', async () => {
    const good = { grant_type: FORM, subject_token: 'x.y.z', subject_token_type: 'urn:ietf:params:oauth:token-type:jwt' };
    for (const members of [
      { ...good, grant_type: 'client_credentials' },
      { ...good, subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' },
      { ...good, actor_token: 'x' },
    ])
      expect(codeOf(await world.call('POST', '/v1/token', form(members)))).toBe('422 invalid_body');
  });
});

describe('the keys of an issuer', () => {
  test('a token by a key that came out since the last look is told to wait, and goes through then', async () => {
    const issuer = await startWorkloadIssuer({ audience: world.url });
    await world.trust(trust().replaceAll(github.issuer, issuer.issuer).replace('deploy shop', 'other'));
    try {
      expect((await exchange(await issuer.token())).status).toBe(200);
      await issuer.rotate();
      const early = await exchange(await issuer.token());
      expect(codeOf(early)).toBe('503 unavailable');
      expect(early.headers['retry-after']).toBe('30');
      expect((await exchange(await issuer.token({}, { key: 'old' }))).status).toBe(200);
      expect(issuer.reads).toEqual({ discovery: 1, jwks: 1 });
    } finally {
      await issuer.close();
      await world.trust(trust());
    }
  });

  test('I17: while an issuer is gone its last keys do for a day, and no longer; who has none waits', async () => {
    const issuer = await startWorkloadIssuer({ audience: world.url });
    const rule = trust().replaceAll(github.issuer, issuer.issuer).replace('deploy shop', 'other');
    await world.trust(rule);
    try {
      issuer.down = true;
      expect(codeOf(await exchange(await issuer.token()))).toBe('503 unavailable');
      const keep = (age: string) =>
        world.sql(
          `INSERT INTO issuer_keys (tenant, issuer, jwks, fetched_at) VALUES ('default', '${issuer.issuer}', '${JSON.stringify(issuer.jwks())}', now() - interval '${age}')
           ON CONFLICT (tenant, issuer) DO UPDATE SET fetched_at = excluded.fetched_at`,
        );
      await keep('23 hours');
      expect((await exchange(await issuer.token())).status).toBe(200);
      await keep('25 hours');
      expect(codeOf(await exchange(await issuer.token()))).toBe('503 unavailable');
    } finally {
      await issuer.close();
      await world.trust(trust());
    }
  });

  test('are kept for then', async () => {
    await exchange(await github.token());
    expect((await world.store.callers.issuerKeys('default', github.issuer))?.jwks).toEqual(github.jwks());
  });

  test('may be pasted where nobody can reach them', async () => {
    const issuer = await startWorkloadIssuer({ audience: world.url });
    issuer.down = true;
    const jwks = `    jwks: ${JSON.stringify(issuer.jwks())}\n`;
    await world.trust(`${trust().replaceAll(github.issuer, issuer.issuer).replace('deploy shop', 'pasted').trimEnd()}\n${jwks}`);
    try {
      expect((await exchange(await issuer.token())).status).toBe(200);
      expect(issuer.reads).toEqual({ discovery: 0, jwks: 0 });
    } finally {
      await issuer.close();
      await world.trust(trust());
    }
  });

  test('I14: a discovery document cannot send us to an address of its choice', async () => {
    const issuer = await startWorkloadIssuer({ audience: world.url });
    const victim = await startWorkloadIssuer({ audience: world.url });
    await world.trust(trust().replaceAll(github.issuer, issuer.issuer).replace('deploy shop', 'other'));
    try {
      issuer.discovery = { jwks_uri: `${victim.issuer}/keys` };
      expect(codeOf(await exchange(await issuer.token()))).toBe('503 unavailable');
      expect(victim.reads.jwks).toBe(0);
    } finally {
      await issuer.close();
      await victim.close();
      await world.trust(trust());
    }
  });

  test('C5: a discovery document of another issuer is none', async () => {
    const issuer = await startWorkloadIssuer({ audience: world.url });
    await world.trust(trust().replaceAll(github.issuer, issuer.issuer).replace('deploy shop', 'other'));
    try {
      issuer.discovery = { issuer: 'https://issuer.example.com' };
      expect(codeOf(await exchange(await issuer.token()))).toBe('503 unavailable');
    } finally {
      await issuer.close();
      await world.trust(trust());
    }
  });
});

describe('other platforms', () => {
  test('GitLab: the user of the pipeline is in the chain by the address that GitLab vouches for', async () => {
    const claims = {
      sub: 'project_path:acme/shop:ref_type:branch:ref:main',
      project_id: '22',
      project_path: 'acme/shop',
      namespace_id: '7',
      user_id: '5',
      user_login: 'bob',
      user_email: 'bob@example.com',
      pipeline_id: '1001',
      pipeline_source: 'push',
      job_id: '2002',
      ref: 'main',
      ref_protected: 'true',
    };
    const gitlab = await startWorkloadIssuer({ audience: world.url, claims });
    await world.trust(`
trust:
  - caller: gitlab
    owner: dana@example.com
    platform: gitlab
    human: { unknown: keep }
    issuer: ${gitlab.issuer}
    match: { project_id: 22, ref_protected: true }
    rights: { actors: ["*"], actions: ["*"] }
`);
    try {
      const token = await gitlab.token();
      const { json } = await submit(token, { environment: 'production' });
      expect(json.requester.workflow).toEqual({ run: '1001', repository: 'acme/shop', job: '2002' });
      expect(codeOf(await world.decide(world.tokens.bob, json, 'approve'))).toBe('403 self_approval');
      // GitLab gives a job one token: it counts until it is over.
      expect((await world.call('GET', `/v1/action-requests/${json.id}`, { as: token })).status).toBe(200);
      expect(codeOf(await submit(await gitlab.token({ pipeline_source: 'merge_request_event' })))).toBe('401 unauthenticated');
    } finally {
      await gitlab.close();
      await world.trust(trust());
    }
  });

  test('Kubernetes: the service account’s uid counts, by keys that are pasted', async () => {
    const claims = {
      sub: 'system:serviceaccount:jobs:retrain',
      'kubernetes.io': { namespace: 'jobs', serviceaccount: { name: 'retrain', uid: 'uid-1' }, pod: { name: 'retrain-x', uid: 'uid-2' } },
    };
    const cluster = await startWorkloadIssuer({ audience: world.url, claims });
    await world.trust(`
trust:
  - caller: retraining
    owner: dana@example.com
    platform: kubernetes
    issuer: ${cluster.issuer}
    jwks: ${JSON.stringify(cluster.jwks())}
    match: { /kubernetes.io/serviceaccount/uid: uid-1 }
    rights: { actors: ["*"], actions: ["*"] }
`);
    try {
      expect((await submit(await cluster.token({ aud: [world.url] }))).json.requester.workflow).toEqual({
        run: 'retrain-x',
        repository: 'jobs',
        job: 'retrain',
      });
      const again = { ...claims['kubernetes.io'], serviceaccount: { name: 'retrain', uid: 'uid-9' } };
      expect(codeOf(await submit(await cluster.token({ 'kubernetes.io': again })))).toBe('401 unauthenticated');
    } finally {
      await cluster.close();
      await world.trust(trust());
    }
  });

  test('what two rules fit is refused', async () => {
    const more = `  - caller: by owner
    owner: dana@example.com
    platform: github
    human: { unknown: keep }
    issuer: ${github.issuer}
    match: { repository_owner_id: "65" }
    rights: { actors: ["*"], actions: ["*"] }
`;
    await world.trust(trust(more));
    expect(codeOf(await exchange(await github.token()))).toBe('401 unauthenticated');
    expect((await exchange(await github.token({ repository_id: '75', repository: 'acme/other' }))).json.caller.name).toBe('by owner');
    await world.trust(trust());
    expect((await exchange(await github.token())).json.caller.name).toBe('deploy shop');
  });
});
