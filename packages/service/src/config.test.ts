import { inspect } from 'node:util';

import { describe, expect, test } from '@jest/globals';

import { type Config, describeProblems, readConfig } from './index.js';

const KEY = `k1:${Buffer.alloc(32, 7).toString('base64')}`;
const SERVER = { DATABASE_URL: 'postgresql://u:hunter2@db/x', COUNTERSIGN_MASTER_KEY: KEY, COUNTERSIGN_DIRECTORY: 'people.yaml' };
const GUID = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';

function good(env: Record<string, string>, roles: string[] = []): Config {
  const result = readConfig(env, roles);
  if (!result.ok) throw new Error(describeProblems(result.problems));
  return result.config;
}
function wrong(env: Record<string, string>, roles: string[] = []): string[] {
  const result = readConfig(env, roles);
  return result.ok ? [] : result.problems.map(({ variable }) => variable);
}

describe('the quickstart rule', () => {
  test('nothing set: a quickstart on loopback with the embedded database', () => {
    expect(good({})).toMatchObject({
      quickstart: true,
      allRoles: true,
      http: { host: '127.0.0.1', port: 8080, publicUrl: 'http://localhost:8080' },
      database: { kind: 'embedded' },
      chatLink: 'email',
      logLevel: 'warn',
    });
    expect(good({}).callbackAllow).toBeUndefined();
  });

  test.each([{ HOST: 'localhost' }, { HOST: '127.0.0.2' }, { HOST: '::1' }, { HOST: '[::1]' }, { DATABASE_URL: '' }])('still a quickstart with %j', (env) => {
    expect(good(env).quickstart).toBe(true);
  });

  test.each([{ HOST: '0.0.0.0' }, { HOST: '10.1.2.3' }, { HOST: '::' }, { HOST: 'example.com' }, { COUNTERSIGN_POLICY: 'policy' }])(
    'no quickstart with %j, and the missing people are named with the choices',
    (env) => {
      const result = readConfig(env);
      expect(result).toMatchObject({
        ok: false,
        problems: [{ variable: 'COUNTERSIGN_DIRECTORY', fix: expect.stringMatching(/COUNTERSIGN_DIRECTORY.*OIDC_ISSUER.*quickstart/u) }],
      });
    },
  );

  test('a wrong HOST is one problem, not two', () => {
    expect(wrong({ HOST: 'not a host' })).toContain('HOST');
  });

  test('a directory or an identity provider is a source of people', () => {
    expect(good({ COUNTERSIGN_DIRECTORY: 'p.yaml' })).toMatchObject({ quickstart: false, http: { host: '0.0.0.0' }, chatLink: 'proof', logLevel: 'info' });
    expect(good({ OIDC_ISSUER: 'https://id.example.com', OIDC_CLIENT_ID: 'c' }).oidc).toEqual({
      issuer: 'https://id.example.com',
      clientId: 'c',
      pins: {},
      scopes: ['email', 'profile'],
      jit: false,
    });
  });

  test('C5: an issuer that serves everybody is pinned to one organisation', () => {
    const google = { OIDC_ISSUER: 'https://accounts.google.com', OIDC_CLIENT_ID: 'c' };
    const tenant = '7f1f6f6e-1a2b-4c3d-8e9f-001122334455';
    expect(readConfig(google)).toMatchObject({ ok: false, problems: [{ variable: 'OIDC_PIN' }] });
    expect(good({ ...google, OIDC_PIN: 'hd:example.com, hd:example.org' }).oidc?.pins).toEqual({ hd: ['example.com', 'example.org'] });
    for (const path of ['common', 'organizations', 'consumers']) {
      const issuer = `https://login.microsoftonline.com/${path}/v2.0`;
      expect(readConfig({ OIDC_ISSUER: issuer, OIDC_CLIENT_ID: 'c', OIDC_PIN: `tid:${tenant}` })).toMatchObject({
        ok: false,
        problems: [{ variable: 'OIDC_ISSUER' }],
      });
    }
    expect(good({ OIDC_ISSUER: `https://login.microsoftonline.com/${tenant}/v2.0`, OIDC_CLIENT_ID: 'c' }).oidc?.pins).toEqual({});
    expect(readConfig({ OIDC_ISSUER: 'https://id.example.com', OIDC_CLIENT_ID: 'c', OIDC_PIN: 'hd' })).toMatchObject({
      ok: false,
      problems: [{ variable: 'OIDC_PIN' }],
    });
    expect(readConfig({ COUNTERSIGN_DIRECTORY: 'p.yaml', SLACK_CLIENT_ID: 'c' })).toMatchObject({ ok: false, problems: [{ variable: 'SLACK_CLIENT_SECRET' }] });
  });
});

describe('problems', () => {
  test('all wrong variables are named at once, each with what to do, and no value is shown', () => {
    const env = {
      DATABASE_URL: 'mysql://u:hunter2@db/x',
      REDIS_URL: 'hunter2',
      PORT: '99999',
      PUBLIC_URL: 'https://u:hunter2@x.example/path',
      COUNTERSIGN_MASTER_KEY: 'k1:hunter2',
      SLACK_BOT_TOKEN: 'xapp-hunter2',
      TEAMS_AUTH: 'maybe',
      MicrosoftAppId: 'hunter2',
      OIDC_CLIENT_SECRET: 'hunter2',
      COUNTERSIGN_CALLBACK_ALLOW: '10.0.0.0/99',
      LOG_LEVEL: 'loud',
    };
    const result = readConfig(env, ['intake', 'hunter3']);
    const problems = result.ok ? [] : result.problems;
    expect(problems.map(({ variable }) => variable)).toEqual([
      '--role',
      'DATABASE_URL',
      'REDIS_URL',
      'PORT',
      'PUBLIC_URL',
      'COUNTERSIGN_MASTER_KEY',
      'COUNTERSIGN_DIRECTORY',
      'SLACK_BOT_TOKEN',
      'SLACK_SIGNING_SECRET',
      'MicrosoftAppId',
      'MicrosoftAppPassword',
      'MicrosoftAppTenantId',
      'TEAMS_AUTH',
      'OIDC_ISSUER',
      'COUNTERSIGN_CALLBACK_ALLOW',
      'LOG_LEVEL',
    ]);
    expect(problems.every(({ fix }) => fix.length > 10)).toBe(true);
    expect(describeProblems(problems)).not.toContain('hunter2');
  });

  test('with DATABASE_URL the master key is never made up', () => {
    expect(wrong({ ...SERVER, COUNTERSIGN_MASTER_KEY: '' })).toEqual(['COUNTERSIGN_MASTER_KEY']);
  });

  test.each(['k1', 'k1:', `k1:${Buffer.alloc(16).toString('base64')}`, `${KEY},${KEY}`, `k 1:${'A'.repeat(43)}=`, `k1:${'A'.repeat(42)}B=`])(
    'the master key %p is refused',
    (key) => {
      expect(wrong({ ...SERVER, COUNTERSIGN_MASTER_KEY: key })).toEqual(['COUNTERSIGN_MASTER_KEY']);
    },
  );

  test('several keys are accepted, kept whole', () => {
    const keys = `${KEY},k0:${Buffer.alloc(32, 9).toString('base64')}`;
    expect(good({ ...SERVER, COUNTERSIGN_MASTER_KEY: keys }).masterKey?.reveal()).toBe(keys);
  });

  test('roles that run apart need a database that all reach', () => {
    expect(wrong({}, ['intake'])).toEqual(['DATABASE_URL']);
    expect(good(SERVER, ['decisions', 'intake'])).toMatchObject({ roles: ['intake', 'decisions'], allRoles: false });
    expect(good({}, ['intake', 'slack-bot', 'teams-bot', 'mail', 'decisions']).allRoles).toBe(true);
  });

  test('mail needs a server and a sender, and neither the password nor a wrong value is shown', () => {
    const SMTP_URL = 'smtp://countersign:hunter2%40x@mail.example.com:587';
    expect(good(SERVER).mail).toBeUndefined();
    expect(wrong({ ...SERVER, SMTP_URL })).toEqual(['MAIL_FROM']);
    expect(wrong({ ...SERVER, MAIL_FROM: 'a@example.com' })).toEqual(['SMTP_URL']);
    expect(wrong({ ...SERVER, SMTP_CA: 'ca.pem' })).toEqual(['SMTP_URL']);
    expect(wrong({ ...SERVER, SMTP_URL: 'https://mail.example.com', MAIL_FROM: 'a@example.com' })).toEqual(['SMTP_URL']);
    for (const MAIL_FROM of ['nobody', 'a@b@c', 'A <a@example.com', 'a@example.com>', 'A <a@example.com>\r\nBcc: e@evil.example', '"A" <a b@c>'])
      expect({ MAIL_FROM, wrong: wrong({ ...SERVER, SMTP_URL, MAIL_FROM }) }).toEqual({ MAIL_FROM, wrong: ['MAIL_FROM'] });
    const config = good({ ...SERVER, SMTP_URL, MAIL_FROM: 'Countersign <approvals@example.com>', SMTP_CA: '/etc/mail.pem' });
    expect(config.mail).toMatchObject({ from: 'Countersign <approvals@example.com>', ca: '/etc/mail.pem' });
    expect(config.mail?.smtpUrl.reveal()).toBe(SMTP_URL);
    expect(JSON.stringify(config)).not.toContain('hunter2');
  });

  test('TEAMS_AUTH=off is for loopback only', () => {
    expect(wrong({ ...SERVER, TEAMS_AUTH: 'off' })).toEqual(['TEAMS_AUTH']);
    expect(wrong({ ...SERVER, TEAMS_AUTH: 'off', HOST: '0.0.0.0' })).toEqual(['TEAMS_AUTH']);
    expect(good({ TEAMS_AUTH: 'off' }).teams).toEqual({ auth: 'off', appType: 'MultiTenant', tenantIds: [] });
    expect(good({ ...SERVER, TEAMS_AUTH: 'off', HOST: '127.0.0.1' }).teams?.auth).toBe('off');
  });

  test('Teams is off without an app id; with one it needs a password and the tenants that count', () => {
    expect(good(SERVER).teams).toBeUndefined();
    expect(wrong({ ...SERVER, MicrosoftAppId: GUID })).toEqual(['MicrosoftAppPassword', 'MicrosoftAppTenantId']);
    expect(good({ ...SERVER, MicrosoftAppId: GUID, MicrosoftAppType: 'UserAssignedMSI', MicrosoftAppTenantId: `${GUID}, ${GUID}` }).teams).toMatchObject({
      auth: 'on',
      tenantIds: [GUID, GUID],
    });
  });

  test('Slack needs something to verify with', () => {
    expect(wrong({ SLACK_BOT_TOKEN: 'xoxb-1' })).toEqual(['SLACK_SIGNING_SECRET']);
    expect(wrong({ SLACK_APP_TOKEN: 'xapp-1' })).toEqual(['SLACK_BOT_TOKEN']);
    // Workspaces installed by OAuth need no token of the operator's; the client alone is for Sign in with Slack.
    const client = { SLACK_CLIENT_ID: 'c', SLACK_CLIENT_SECRET: 's' };
    expect(good({ SLACK_SIGNING_SECRET: 's', ...client }).slack).toMatchObject({ oauth: { clientId: 'c' } });
    expect(good({ SLACK_SIGNING_SECRET: 's', ...client }).slack?.botToken).toBeUndefined();
    expect(good({ SLACK_BOT_TOKEN: 'xoxb-1', SLACK_SIGNING_SECRET: 's', ...client }).slack).toMatchObject({ oauth: { clientId: 'c' } });
    expect(good(client).slack).toBeUndefined();
    expect(wrong({ SLACK_SIGNING_SECRET: 's', SLACK_CLIENT_ID: 'c' })).toEqual(['SLACK_CLIENT_SECRET']);
    expect(
      good({ SLACK_BOT_TOKEN: 'xoxb-1', SLACK_SIGNING_SECRET: 's', SLACK_API_URL: 'http://127.0.0.1:9/api/', SLACK_CHANNEL: '#approvals' }).slack,
    ).toMatchObject({ channel: '#approvals' });
    const { onCall } = good({ PAGERDUTY_TOKEN: 'pd', OPSGENIE_TOKEN: 'og', OPSGENIE_API_URL: 'https://api.eu.opsgenie.com/' });
    expect([onCall.pagerduty?.token.reveal(), onCall.pagerduty?.apiUrl]).toEqual(['pd', undefined]);
    expect([onCall.opsgenie?.token.reveal(), onCall.opsgenie?.apiUrl]).toEqual(['og', 'https://api.eu.opsgenie.com']);
    expect(good({}).onCall).toEqual({});
    expect(wrong({ PAGERDUTY_TOKEN: 'pd', PAGERDUTY_API_URL: 'http://pagerduty.example' })).toEqual(['PAGERDUTY_API_URL']);
    expect(wrong({ SLACK_BOT_TOKEN: 'xoxb-1', SLACK_SIGNING_SECRET: 's', SLACK_API_URL: 'http://slack.example/api/' })).toEqual(['SLACK_API_URL']);
  });
});

describe('values', () => {
  test('callbacks: absent, empty and listed are three things', () => {
    expect(good({}).callbackAllow).toBeUndefined();
    expect(good({ COUNTERSIGN_CALLBACK_ALLOW: '' }).callbackAllow).toEqual([]);
    expect(good({ COUNTERSIGN_CALLBACK_ALLOW: '10.0.0.0/8, hooks.internal:8443 [fd00::1]:9 fd00::/8' }).callbackAllow).toEqual([
      '10.0.0.0/8',
      'hooks.internal:8443',
      '[fd00::1]:9',
      'fd00::/8',
    ]);
  });

  test.each(['https://c.example.com', 'https://c.example.com/', 'https://c.example.com:443'])('PUBLIC_URL %s is an origin without a slash', (url) => {
    expect(good({ PUBLIC_URL: url }).http.publicUrl).toBe('https://c.example.com');
  });

  test('secrets are not printed, however the tree is written out', () => {
    const config = good({
      ...SERVER,
      REDIS_URL: 'redis://:hunter2@r',
      METRICS_TOKEN: 'hunter2hunter2hunter2',
      SLACK_BOT_TOKEN: 'xoxb-hunter2',
      SLACK_SIGNING_SECRET: 'hunter2',
      OIDC_ISSUER: 'https://i',
      OIDC_CLIENT_ID: 'c',
      OIDC_CLIENT_SECRET: 'hunter2',
    });
    for (const text of [inspect(config, { depth: 9, showHidden: true }), JSON.stringify(config), String(config.redisUrl)]) {
      expect(text).not.toContain('hunter2');
      expect(text).not.toContain(KEY);
      expect(text).toContain('[secret]');
    }
    expect(config.redisUrl?.reveal()).toBe('redis://:hunter2@r');
  });
});
