import { freePort } from '@countersign/dev-env/free-port';
import type { FakeSlack } from '@countersign/dev-env/slack';
import { type Running, start } from '@countersign/server';
import { readConfig } from '@countersign/service';
import { type Api, apiOf } from './api.js';

/** The whole server in this process, connected to a fake Slack; cards go to #approvals. */
export interface SlackServer {
  running: Running;
  api: Api;
  stop(): Promise<void>;
}

export async function startWithSlack(home: string, slack: FakeSlack, more: Record<string, string> = {}): Promise<SlackServer> {
  const port = await freePort();
  const read = readConfig({
    COUNTERSIGN_HOME: home,
    PORT: String(port),
    LOG_LEVEL: 'silent',
    SLACK_BOT_TOKEN: slack.botToken,
    SLACK_SIGNING_SECRET: slack.signingSecret,
    SLACK_API_URL: slack.apiUrl,
    SLACK_CHANNEL: '#approvals',
    ...more,
  });
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  const running = await start(read.config);
  slack.connect(`http://localhost:${String(port)}/slack/events`);
  return {
    running,
    api: apiOf(port, `localhost:${String(port)}`),
    async stop() {
      await running.shutdown.stop('the test is over');
      running.shutdown.release();
    },
  };
}
