import { readConfig } from '@countersign/service';
import { CliError } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';
import { type Check, fail } from '../doctor/check.js';
import { report } from '../doctor/report.js';
import { teamsChecks } from '../doctor/teams.js';
import { packageCheck, teamsWorldChecks } from '../doctor/teams-world.js';
import { homeOf } from '../home.js';

export const doctorTeams: Command = {
  name: 'doctor teams',
  summary: 'look whether Microsoft Teams and Countersign reach each other',
  usage: `Usage: countersign doctor teams [options]
  Looks with the service's own environment: whether Entra gives the bot a token, whether Teams' keys can be read and the clocks agree,
  whether the messaging endpoint answers as it should, which conversations and accounts are known, and whether the package is today's.
  --package FILE           the package to compare (default: countersign-teams.zip, where it is)
  --token-url URL          another token endpoint than Entra's
  --home FOLDER            COUNTERSIGN_HOME (default .countersign)
  --json                   the result as JSON
  Exit codes: 0 nothing fails (warnings may be there), 1 something fails.`,
  async run(args, terminal) {
    const { values } = readArguments(
      args,
      { package: { type: 'string' }, 'token-url': { type: 'string' }, home: { type: 'string' }, json: { type: 'boolean', default: false } },
      0,
    );
    const tokenUrl = values['token-url'];
    if (tokenUrl !== undefined && !URL.canParse(tokenUrl)) throw new CliError('usage', '--token-url must be a URL.');
    const read = readConfig({ ...terminal.env, COUNTERSIGN_HOME: homeOf(terminal, values.home) });
    if (!read.ok)
      return report(
        read.problems.map(({ variable, problem, fix }) => fail('configuration', `${variable} ${problem}`, fix)),
        values.json,
        terminal,
      );
    const { config } = read;
    const { teams } = config;
    const checks: Check[] =
      teams === undefined
        ? [fail('Teams', 'is not configured', 'Set MicrosoftAppId, MicrosoftAppPassword and MicrosoftAppTenantId (docs/teams.md).')]
        : [
            ...(await teamsChecks({ ...config, teams }, { tokenUrl, env: terminal.env })),
            ...(await teamsWorldChecks(config, terminal)),
            ...(await packageCheck(config, terminal, values.package)),
          ];
    return report(checks, values.json, terminal);
  },
};
