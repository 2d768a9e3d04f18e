import { SLACK_EVENTS, SLACK_SCOPES, slackManifest } from '@countersign/chat/slack-app';
import { Document, isScalar, isSeq } from 'yaml';
import { CliError, EXIT } from '../../cli-error.js';
import { type Command, readArguments } from '../../command.js';

export const slackManifestCommand: Command = {
  name: 'slack manifest',
  summary: 'print the manifest that makes or mends the Slack app',
  usage: `Usage: countersign slack manifest [--url URL | --socket] [--json]
  Paste it at api.slack.com/apps: Create New App, From a manifest; or into App Manifest of an app that is there.
  --url URL                where Slack reaches Countersign (default: PUBLIC_URL); https
  --socket                 Slack cannot reach it: the bot opens the connection (Socket Mode)
  --json                   JSON instead of YAML, which says why each scope and event is needed
  Exit codes: 0 printed, 2 could not be done.`,
  async run(args, terminal) {
    const { values } = readArguments(
      args,
      { url: { type: 'string' }, socket: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
      0,
    );
    if (values.socket && values.url !== undefined) throw new CliError('usage', 'Either --url or --socket: in Socket Mode Slack calls no address.');
    const manifest = slackManifest(values.socket ? 'socket' : { url: originOf(values.url ?? terminal.env['PUBLIC_URL']) });
    terminal.out(values.json ? JSON.stringify(manifest, null, 2) : explained(manifest));
    return Promise.resolve(EXIT.fine);
  },
};

/** Slack calls https alone, and our links stand on PUBLIC_URL's origin. @throws CliError `usage` */
function originOf(given: string | undefined): string {
  if (given === undefined || given.trim() === '')
    throw new CliError('usage', 'Say where Slack reaches Countersign: --url https://countersign.example.com, or set PUBLIC_URL; or --socket where it cannot.');
  const url = URL.canParse(given) ? new URL(given) : null;
  if (url === null || url.protocol !== 'https:' || url.username !== '' || (url.pathname !== '/' && url.pathname !== '') || url.search !== '' || url.hash !== '')
    throw new CliError('usage', `${JSON.stringify(given)} is no address that Slack calls: it wants https:// and a name, without a path; or use --socket.`);
  return url.origin;
}

/** YAML in which each scope and event says what it is for. */
function explained(manifest: ReturnType<typeof slackManifest>): string {
  const document = new Document(manifest);
  const why = new Map([...SLACK_SCOPES, ...SLACK_EVENTS].map(({ name, why: reason }) => [name, reason]));
  for (const path of [
    ['oauth_config', 'scopes', 'bot'],
    ['settings', 'event_subscriptions', 'bot_events'],
  ]) {
    const list = document.getIn(path);
    if (!isSeq(list)) continue;
    for (const item of list.items) {
      const reason = isScalar(item) ? why.get(String(item.value)) : undefined;
      if (isScalar(item) && reason !== undefined) item.comment = ` ${reason}`;
    }
  }
  return document.toString({ lineWidth: 0 }).trimEnd();
}
