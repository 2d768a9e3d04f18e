import { pendingSlackInstallLinkSchema, slackInstallationListSchema, slackInstallLinkSchema } from '@countersign/contracts';
import { connect, CONNECTION_USAGE, connectionOptions } from '../../caller/connection.js';
import { CliError, EXIT } from '../../cli-error.js';
import { type Command, readArguments } from '../../command.js';

export const slackInstallLink: Command = {
  name: 'slack install-link',
  summary: 'make a link that installs the Slack app in one more workspace',
  usage: `Usage: countersign slack install-link
  Prints a link for an administrator's own browser. It works once, for ten minutes, and leads to Slack, where the workspace (or the whole
  Enterprise Grid) is chosen. Whoever opens it decides whose people may be linked: give it to nobody. Needs SLACK_CLIENT_ID and
  SLACK_CLIENT_SECRET in the service's environment, and an administrator's personal token here.
${CONNECTION_USAGE}
  Exit codes: 0 made, 1 refused, 2 could not be done.`,
  async run(args, terminal) {
    const { values } = readArguments(args, connectionOptions, 0);
    const { post } = await connect(terminal, values, 'person');
    const answer = await post('/v1/slack/install-links', {});
    const made = slackInstallLinkSchema.safeParse(answer).data;
    if (made !== undefined) terminal.out(`${made.url}\nworks once, until ${made.expires_at}`);
    else {
      const { url, change } = pendingSlackInstallLinkSchema.parse(answer);
      terminal.out(`${url}\nworks for ten minutes from when a second person has approved ${change.id}`);
    }
    return EXIT.fine;
  },
};

export const slackInstallations: Command = {
  name: 'slack installations',
  summary: 'list where the Slack app was installed by OAuth',
  usage: `Usage: countersign slack installations [--json]
  The workspace of SLACK_BOT_TOKEN is not among them: that is the operator's own.
  --json                   the list as JSON
${CONNECTION_USAGE}
  Exit codes: 0 listed, 1 refused, 2 could not be done.`,
  async run(args, terminal) {
    const { values } = readArguments(args, { ...connectionOptions, json: { type: 'boolean', default: false } }, 0);
    const { call } = await connect(terminal, values, 'person');
    const { data } = slackInstallationListSchema.parse(await call('GET', '/v1/slack/installations'));
    if (values.json) terminal.out(JSON.stringify(data, null, 2));
    else if (data.length === 0) terminal.out('Nowhere.');
    for (const { id, team, enterprise, installed_by, installed_at } of values.json ? [] : data)
      terminal.out(`${id}  ${team?.name ?? enterprise?.name ?? ''}${team === null ? ' (the whole Grid)' : ''}  since ${installed_at}, by ${installed_by}`);
    return EXIT.fine;
  },
};

export const slackForget: Command = {
  name: 'slack forget',
  summary: 'forget the token of a workspace that was installed by OAuth',
  usage: `Usage: countersign slack forget ID
  From then on no card is posted there, and no press from there counts. The app stays in Slack until somebody removes it there, which ends it, too.
  ID                       T… of a workspace, E… of a Grid (countersign slack installations)
${CONNECTION_USAGE}
  Exit codes: 0 forgotten, 1 refused, 2 could not be done.`,
  async run(args, terminal) {
    const { values, positionals } = readArguments(args, connectionOptions, 1);
    const [id] = positionals;
    if (id === undefined) throw new CliError('usage', 'Name the installation: T… or E….');
    const { call } = await connect(terminal, values, 'person');
    await call('DELETE', `/v1/slack/installations/${encodeURIComponent(id)}`);
    terminal.out(`${id} is forgotten.`);
    return EXIT.fine;
  },
};
