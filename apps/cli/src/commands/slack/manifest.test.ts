import { SLACK_EVENTS, SLACK_SCOPES, slackManifest } from '@countersign/chat/slack-app';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { countersign } from '../../testing/terminal.js';

const slack = (...args: string[]) => countersign(['slack', 'manifest', ...args], { cwd: '.' });

describe('countersign slack manifest', () => {
  test('prints the app for an address, as YAML that says why and as the same JSON', async () => {
    const yaml = await slack('--url', 'https://approve.example.com/');
    expect(yaml.code).toBe(0);
    const json = JSON.parse((await slack('--url', 'https://approve.example.com', '--json')).out) as unknown;
    expect(parse(yaml.out)).toEqual(json);
    expect(json).toEqual(slackManifest({ url: 'https://approve.example.com' }));
    for (const { name, why } of [...SLACK_SCOPES, ...SLACK_EVENTS]) expect(yaml.out).toContain(`- ${name} # ${why}`);
    expect(yaml.out.match(/https:\/\/approve\.example\.com\/slack\/events/g)).toHaveLength(3);
  });

  test('in Socket Mode no address is in it', async () => {
    const { out } = await slack('--socket', '--json');
    expect(out).not.toContain('url');
    expect(JSON.parse(out)).toMatchObject({ settings: { socket_mode_enabled: true, interactivity: { is_enabled: true } } });
  });

  test.each([[[]], [['--url', 'http://approve.example.com']], [['--url', 'https://approve.example.com/countersign']], [['--url', 'https://x', '--socket']]])(
    'says what is wrong with %j',
    async (args) => {
      const { code, out, err } = await slack(...args);
      expect([code, out]).toEqual([2, '']);
      expect(err).toMatch(/--socket/);
    },
  );

  test('takes PUBLIC_URL where no address is given', async () => {
    const { out } = await countersign(['slack', 'manifest'], { cwd: '.', env: { PUBLIC_URL: 'https://here.example.com' } });
    expect(out).toContain('https://here.example.com/slack/oauth_redirect');
  });
});

/* The limits of the manifest's schema, version 1 and 2 (docs.slack.dev/reference/app-manifest). */
describe.each([
  ['over HTTP', slackManifest({ url: 'https://approve.example.com' })],
  ['in Socket Mode', slackManifest('socket')],
])('the manifest %s keeps to what Slack takes', (_how, manifest) => {
  test('names and texts have a length that Slack takes', () => {
    const { display_information: shown, features } = manifest;
    expect(shown.name.length).toBeLessThanOrEqual(35);
    expect(shown.description.length).toBeLessThanOrEqual(140);
    expect(shown.long_description.length).toBeGreaterThanOrEqual(175);
    expect(shown.long_description.length).toBeLessThanOrEqual(4_000);
    expect(shown.background_color).toMatch(/^#[0-9a-fA-F]{6}$/);
    expect(features.bot_user.display_name.length).toBeLessThanOrEqual(80);
    for (const { command, description, usage_hint } of features.slash_commands) {
      expect(command).toMatch(/^\/[a-z]{1,31}$/);
      expect(description.length).toBeLessThanOrEqual(2_000);
      expect(usage_hint.length).toBeLessThanOrEqual(1_000);
    }
    const shortcuts: readonly { name: string; callback_id: string; description: string }[] = features.shortcuts;
    expect(shortcuts.length).toBeLessThanOrEqual(10);
    for (const { name, callback_id, description } of shortcuts) {
      expect(name.length).toBeLessThanOrEqual(24);
      expect(callback_id.length).toBeLessThanOrEqual(255);
      expect(description.length).toBeLessThanOrEqual(150);
    }
  });

  test('each event is covered by a scope, and nothing stands twice', () => {
    const scopes = manifest.oauth_config.scopes.bot;
    const events = manifest.settings.event_subscriptions.bot_events;
    expect(new Set(scopes).size).toBe(scopes.length);
    expect(new Set(events).size).toBe(events.length);
    expect(events.length).toBeLessThanOrEqual(100);
    // docs.slack.dev/reference/events: what each asks for; the rest ask for nothing.
    const asks = (event: string) => (event === 'user_change' ? 'users:read' : /^(channel|group)_/.exec(event) === null ? null : `${event.split('_')[0]}s:read`);
    for (const event of events) expect(asks(event) === null || scopes.includes(asks(event) ?? '')).toBe(true);
  });

  test('addresses are absolute, and there are as many as Slack takes', () => {
    const urls = [...JSON.stringify(manifest).matchAll(/"(?:url|request_url)":"([^"]*)"/g)].map(([, url]) => url ?? '');
    for (const url of urls) expect(url).toMatch(/^https:\/\//);
    expect(urls).toHaveLength(manifest.settings.socket_mode_enabled ? 0 : 3);
  });
});
