import { readConfig } from '@countersign/service';
import { CliError } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';
import { type Check, fail, ok } from '../doctor/check.js';
import { identityChecks } from '../doctor/identity.js';
import { callbackCheck, databaseChecks, nodeCheck, quickstartCheck } from '../doctor/installation.js';
import { mailChecks } from '../doctor/mail.js';
import { passkeyCheck } from '../doctor/passkeys.js';
import { report } from '../doctor/report.js';
import { serverChecks } from '../doctor/server.js';
import { slackChecks } from '../doctor/slack.js';
import { teamsChecks } from '../doctor/teams.js';
import { installedTokens } from '../doctor/slack-tokens.js';
import { homeOf } from '../home.js';
import { serviceUrl } from '../ledger/live-source.js';

const USAGE = `Usage: countersign doctor [slack|teams|mail] [options]
  Looks at an installation with the service's own environment, and says what to do about what is wrong.
  slack                    look at Slack alone: tokens, scopes, channel, the road of presses, clock
  teams                    look at Teams alone: countersign doctor teams --help
  mail                     look at mail alone: countersign doctor mail --help
  --url URL                look at a running server, too
  --home FOLDER            COUNTERSIGN_HOME (default .countersign)
  --json                   the result as JSON
  Exit codes: 0 nothing fails (warnings may be there), 1 something fails. A quickstart always does: it is no boundary.`;

export const doctor: Command = {
  name: 'doctor',
  summary: 'look whether an installation is sound',
  usage: USAGE,
  async run(args, terminal) {
    const { values, positionals } = readArguments(args, { url: { type: 'string' }, home: { type: 'string' }, json: { type: 'boolean', default: false } }, 1);
    const [part] = positionals;
    if (part !== undefined && part !== 'slack') throw new CliError('usage', `There is no part ${JSON.stringify(part)} to look at alone: slack, teams, mail.`);
    const url = values.url === undefined ? null : serviceUrl(values.url);
    const checks: Check[] = [nodeCheck(process.versions.node)];
    const read = readConfig({ ...terminal.env, COUNTERSIGN_HOME: homeOf(terminal, values.home) });
    if (!read.ok) checks.push(...read.problems.map(({ variable, problem, fix }) => fail('configuration', `${variable} ${problem}`, fix)));
    else {
      const { config } = read;
      checks.push(ok('configuration', 'can be read'));
      if (part === undefined) {
        checks.push(quickstartCheck(config), ...(await databaseChecks(config, terminal)), callbackCheck(config), passkeyCheck(config));
        checks.push(...(await identityChecks(config)));
      }
      if (config.slack !== undefined) {
        const installed = await installedTokens(config, terminal);
        checks.push(...(await slackChecks(config.slack, config.http.publicUrl, installed.tokens)), ...installed.checks);
      }
      if (config.slack === undefined && part === 'slack')
        checks.push(fail('Slack', 'is not set up', 'docs/slack.md leads there; SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET are the least.'));
    }
    if (read.ok && part === undefined && read.config.teams !== undefined)
      checks.push(...(await teamsChecks({ ...read.config, teams: read.config.teams }, { env: terminal.env })));
    if (read.ok && part === undefined && read.config.mail !== undefined) checks.push(...(await mailChecks(read.config.mail)));
    if (url !== null) checks.push(...(await serverChecks(url)));
    return report(checks, values.json, terminal);
  },
};
