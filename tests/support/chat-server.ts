import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { countersign } from '@countersign/cli/testing';
import { freePort } from '@countersign/dev-env/free-port';
import { type MailServer, type ReceivedMail, startMailServer } from '@countersign/dev-env/mail';
import { type FakeSlack, type SlackMessage, startFakeSlack, visibleText } from '@countersign/dev-env/slack';
import { cardText, type FakeBotFramework, type StoredActivity, startFakeBotFramework } from '@countersign/dev-env/teams';
import { findEmbeddedServer } from '@countersign/store';
import pg from 'pg';
import { EXPORT } from './api.js';
import { type CallbackReceiver, startCallbackReceiver } from './callback-receiver.js';
import { exampleFiles } from './installation.js';
import { type RunningServer, startServer } from './running-server.js';
import { until } from './until.js';

/** The channel of Slack, and that of Teams: Platform / Approvals. */
export const SLACK_CHANNEL = 'approvals';
export const TEAMS_CHANNEL = '19:approvals@thread.tacv2';

/** Whom policy mails. Dana stands behind the requests; carol decides by the API; olivia administers. */
const OWNERS = ['alice', 'bob', 'carol'] as const;
const PEOPLE = ['dana', ...OWNERS, 'olivia'] as const;
export type PersonName = (typeof PEOPLE)[number];

export const slackAccount = (name: PersonName): string => `U0${name.toUpperCase()}`;

export interface Asked {
  id: string;
  request_digest: string;
  [member: string]: unknown;
}

/**
 * One built server in a process of its own, connected to Slack, to Teams with authentication on, to a mail server and to a receiver of callbacks.
 * Policy shows exports to a channel of each and mails the owners of the data: alice, bob and carol.
 */
export interface ChatServer {
  /** The process that runs now. */
  readonly server: RunningServer;
  readonly slack: FakeSlack;
  readonly teams: FakeBotFramework;
  readonly mail: MailServer;
  readonly receiver: CallbackReceiver;
  /** Asks for the example export, with these members instead and with a callback. */
  ask(members?: object): Promise<Asked>;
  /** The request as its caller reads it. `any`, since tests say themselves what they expect of it. */
  read(id: string): Promise<any>;
  /** How often this is in the record of the request. */
  recorded(id: string, event: string): Promise<number>;
  /** Resolves when a card stands on every platform, and is recorded. */
  posted(id: string): Promise<void>;
  /** The messages of Slack's channel that are cards of the request, copies included. */
  slackCards(id: string): SlackMessage[];
  teamsCards(id: string): StoredActivity[];
  mailsOf(id: string): ReceivedMail[];
  /** The whole text of each card that people see, on both platforms. */
  texts(id: string): string[];
  /** The buttons that decide, of every card. */
  deciding(id: string): string[];
  /** Resolves when every card of both platforms says so, and none can be decided. */
  closed(id: string, words: string, withinMs?: number): Promise<void>;
  /** All that Slack showed to this person alone. */
  toldInSlack(name: PersonName): string[];
  /** kill -9 of the server. */
  kill(): Promise<void>;
  /** The server again, on the same home and port. The minute for which the killed one held its work is spared. */
  restart(): Promise<void>;
  /** What waits for its next try is due at once. */
  hurry(): Promise<void>;
  close(): Promise<void>;
}

/** @param policy changes the policy of the quickstart, which has the channels by then. */
export async function startChatServer(policy: (text: string) => string = (text) => text): Promise<ChatServer> {
  const home = await mkdtemp(path.join(tmpdir(), 'countersign-chat-'));
  const [slack, teams, mail, receiver, port] = await Promise.all([
    startFakeSlack({
      users: PEOPLE.map((name) => ({ id: slackAccount(name), name, email: `${name}@example.com` })),
      channels: [{ id: 'C0APPROVALS', name: SLACK_CHANNEL }],
    }),
    startFakeBotFramework({
      // The bot shows no secret to a service on this machine, and asks Entra for nothing.
      anonymousBot: true,
      people: PEOPLE.map((name) => ({ key: name, name, email: `${name}@example.com` })),
      conversations: [{ id: TEAMS_CHANNEL, type: 'channel', name: 'Approvals', teamId: '19:team@thread.tacv2', teamName: 'Platform' }],
    }),
    startMailServer(),
    startCallbackReceiver(),
    freePort(),
  ]);
  const [directory = '', example = ''] = await Promise.all(['directory.yaml', 'policy.yaml'].map((name) => readFile(path.join(exampleFiles, name), 'utf8')));
  const channels = `channels: [{ slack: '#${SLACK_CHANNEL}' }, { teams: Platform / Approvals }, { email: data-owners }]`;
  await Promise.all([
    writeFile(path.join(home, 'directory.yaml'), changed(directory, 'groups: [security]', 'groups: [data-owners, security]')),
    writeFile(path.join(home, 'policy.yaml'), policy(changed(example, '      timeout: 4h\n', `      timeout: 4h\n      ${channels}\n`))),
    writeFile(path.join(home, 'mail-authority.pem'), mail.ca),
  ]);
  const env = {
    COUNTERSIGN_CALLBACK_ALLOW: '127.0.0.1',
    COUNTERSIGN_CHAT_LINK: 'email',
    SLACK_BOT_TOKEN: slack.botToken,
    SLACK_SIGNING_SECRET: slack.signingSecret,
    SLACK_API_URL: slack.apiUrl,
    SLACK_CHANNEL: `#${SLACK_CHANNEL}`,
    MicrosoftAppType: 'SingleTenant',
    MicrosoftAppId: teams.appId,
    MicrosoftAppPassword: teams.appPassword,
    MicrosoftAppTenantId: teams.tenantId,
    TEAMS_OPENID_METADATA_URL: teams.openIdMetadataUrl,
    SMTP_URL: mail.url,
    SMTP_CA: path.join(home, 'mail-authority.pem'),
    MAIL_FROM: 'Countersign <approvals@example.com>',
  };
  let server: RunningServer | null = null;
  const running = (): RunningServer => {
    if (server === null) throw new Error('the server does not run');
    return server;
  };
  const start = async (): Promise<void> => {
    server = await startServer({ home, port, env });
  };
  const close = async (): Promise<void> => {
    await server?.stop();
    await Promise.all([slack.close(), teams.close(), mail.close(), receiver.close()]);
    await rm(home, { recursive: true, force: true });
  };

  const query = async (sql: string): Promise<void> => {
    const owner = new pg.Client({ connectionString: (await findEmbeddedServer(home))?.ownerUrl });
    await owner.connect();
    try {
      await owner.query(sql);
    } finally {
      await owner.end();
    }
  };

  const slackCards: ChatServer['slackCards'] = (id) => slack.messages(SLACK_CHANNEL).filter(({ blocks }) => visibleText(blocks).includes(id));
  const teamsCards: ChatServer['teamsCards'] = (id) => teams.activities(TEAMS_CHANNEL).filter((card) => cardText(teams.card(card.id)).includes(id));
  const texts: ChatServer['texts'] = (id) => [
    ...slackCards(id).map(({ blocks }) => visibleText(blocks)),
    ...teamsCards(id).map((card) => cardText(teams.card(card.id))),
  ];
  const deciding: ChatServer['deciding'] = (id) =>
    [...slackCards(id).map(({ blocks }) => JSON.stringify(blocks)), ...teamsCards(id).map((card) => JSON.stringify(teams.card(card.id)))].flatMap(
      (json) => json.match(/"(?:Approve|Deny)"/g) ?? [],
    );
  const recordOf = async (id: string): Promise<string> =>
    (await running().call('GET', `/v1/action-requests/${id}/events`, { as: running().quickstart().api_key })).text;
  const recorded: ChatServer['recorded'] = async (id, event) => countOf(await recordOf(id), event);

  try {
    await start();
    slack.connect(`${running().url}/slack/events`);
    teams.connect(`${running().url}/api/messages`);
    await teams.client.installIn(TEAMS_CHANNEL, 'alice');
    await teams.client.addressBot(TEAMS_CHANNEL, 'alice', 'hi');
    const allowed = await countersign(['teams', 'allow', 'platform / approvals', '--as', 'olivia@example.com'], { cwd: home, env: { COUNTERSIGN_HOME: home } });
    if (allowed.code !== 0) throw new Error(`the channel of Teams was not allowed: ${allowed.err}`);
  } catch (error) {
    await close();
    throw error;
  }

  return {
    get server() {
      return running();
    },
    slack,
    teams,
    mail,
    receiver,
    async ask(members = {}) {
      const { json } = await running().submit(running().quickstart().api_key, { ...EXPORT, callback: { url: `${receiver.url}/` }, ...members });
      if (json?.status !== 'pending') throw new Error(`it does not wait: ${JSON.stringify(json)}`);
      return json;
    },
    read: async (id) => (await running().call('GET', `/v1/action-requests/${id}`, { as: running().quickstart().api_key })).json,
    recorded,
    posted: async (id) => {
      let record = '';
      const all = async (): Promise<boolean> => {
        record = await recordOf(id);
        return countOf(record, 'card.posted') >= CARDS;
      };
      await until(all, () => `the cards of ${id}, whose record is ${record}; the server said: ${running().output().slice(-2_000)}`, 60_000);
    },
    slackCards,
    teamsCards,
    mailsOf: (id) => mail.mails.filter(({ raw, parsed }) => raw.includes(id) || String(parsed.html).includes(id)),
    texts,
    deciding,
    closed: async (id, words, withinMs) => {
      const whole = () =>
        slackCards(id).length > 0 && teamsCards(id).length > 0 && deciding(id).length === 0 && texts(id).every((text) => text.includes(words));
      await until(whole, () => `“${words}” on every card of ${id}, which say:\n${texts(id).join('\n---\n')}\n${deciding(id).join(' ')}`, withinMs);
    },
    toldInSlack: (name) => [...slack.ephemeral(slackAccount(name)), ...slack.direct(slackAccount(name))].map(({ text }) => text),
    async kill() {
      await running().kill();
      server = null;
    },
    async restart() {
      await start();
      await query('UPDATE card_tasks SET due_at = now(), leased_until = NULL');
      await query('UPDATE mails SET sending_until = NULL');
    },
    hurry: () => query('UPDATE card_tasks SET due_at = now()'),
    close,
  };
}

/** One in Slack, one in Teams, and a mail for each owner. */
const CARDS = 2 + OWNERS.length;

const countOf = (record: string, event: string): number => record.split(`"${event}"`).length - 1;

function changed(text: string, from: string, to: string): string {
  const result = text.replace(from, to);
  if (result === text) throw new Error(`the quickstart's file reads otherwise than this test thinks: no ${from}`);
  return result;
}
