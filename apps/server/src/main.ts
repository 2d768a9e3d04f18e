import { parseArgs } from 'node:util';
import { describeProblems, readConfig } from '@countersign/service';
import { quickstartBanner } from './quickstart/banner.js';
import { quickstartFile } from './quickstart/files.js';
import { start } from './start.js';

const USAGE = `Usage: npm start -- [--role ROLE]…
  ROLE is intake, slack-bot, teams-bot, mail or decisions; several may be given; without any, all run in this process.`;

/** Says one clear line and ends. */
function fail(message: string): never {
  process.stderr.write(`countersign: ${message}\n`);
  process.exit(1);
}

function readRoles(): string[] {
  try {
    const { values } = parseArgs({ options: { role: { type: 'string', multiple: true }, help: { type: 'boolean', short: 'h' } }, allowPositionals: false });
    if (values.help === true) {
      process.stdout.write(`${USAGE}\n`);
      process.exit(0);
    }
    return (values.role ?? []).flatMap((roles) => roles.split(','));
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
  }
}

const read = readConfig(process.env, readRoles());
if (!read.ok) fail(`the configuration cannot be used:\n${describeProblems(read.problems)}`);
const { config } = read;

try {
  const running = await start(config);
  if (running.quickstart === null) process.stdout.write(`Countersign (${config.roles.join(', ')}) is ready at ${running.url}\n`);
  else process.stdout.write(quickstartBanner(running.quickstart, quickstartFile(config.home)));
} catch (error) {
  // Every package's error says in one line what to change; a stack helps only whoever mends Countersign.
  if (process.env.LOG_LEVEL === 'debug') process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  fail(error instanceof Error ? error.message : String(error));
}
