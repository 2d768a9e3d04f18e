import { readConfig } from '@countersign/service';
import { CliError } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';
import { fail } from '../doctor/check.js';
import { mailChecks } from '../doctor/mail.js';
import { report } from '../doctor/report.js';
import { homeOf } from '../home.js';

export const doctorMail: Command = {
  name: 'doctor mail',
  summary: 'look whether mail can be sent',
  usage: `Usage: countersign doctor mail [options]
  Looks with the service's own environment (SMTP_URL, MAIL_FROM, SMTP_CA): whether the mail server answers, speaks TLS with a
  certificate that counts, and takes user, password and sender. Sends nothing, unless told to whom.
  --to ADDRESS             send a mail there
  --home FOLDER            COUNTERSIGN_HOME (default .countersign)
  --json                   the result as JSON
  Exit codes: 0 nothing fails (warnings may be there), 1 something fails.`,
  async run(args, terminal) {
    const { values } = readArguments(args, { to: { type: 'string' }, home: { type: 'string' }, json: { type: 'boolean', default: false } }, 0);
    const { to } = values;
    if (to !== undefined && !/^[^\s<>"(),:;@[\\\]]{1,64}@[^\s<>"(),:;@[\\\]]{1,190}$/.test(to)) throw new CliError('usage', '--to must be a mail address.');
    const read = readConfig({ ...terminal.env, COUNTERSIGN_HOME: homeOf(terminal, values.home) });
    if (!read.ok)
      return report(
        read.problems.map(({ variable, problem, fix }) => fail('configuration', `${variable} ${problem}`, fix)),
        values.json,
        terminal,
      );
    const { mail } = read.config;
    const checks = mail === undefined ? [fail('mail', 'is not configured', 'Set SMTP_URL and MAIL_FROM (docs/email.md).')] : await mailChecks(mail, to);
    return report(checks, values.json, terminal);
  },
};
