import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Config } from '@countersign/service';
import { messageOf } from '../cli-error.js';
import { type Check, fail, ok, warn } from './check.js';
import { type Reply, SmtpDialog } from './smtp-dialog.js';

type MailConfig = NonNullable<Config['mail']>;

/** What stops the look: everything after it would fail too. */
class Stopped extends Error {}

/**
 * The mail server as the service would find it: that it answers, by TLS with a certificate that counts, takes our user and password and our
 * sender. No mail is sent, unless `to` names a mailbox that gets one.
 */
export async function mailChecks(mail: MailConfig, to?: string): Promise<Check[]> {
  const checks: Check[] = [];
  const url = new URL(mail.smtpUrl.reveal());
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const implicit = url.protocol === 'smtps:';
  const port = url.port === '' ? (implicit ? 465 : 587) : Number(url.port);
  const sender = /<([^<>]+)>$/.exec(mail.from)?.[1] ?? mail.from;
  const local = host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
  let dialog: SmtpDialog | null = null;
  const stop = (check: Check): never => {
    checks.push(check);
    throw new Stopped();
  };
  try {
    const ca =
      mail.ca === undefined
        ? undefined
        : await readFile(mail.ca, 'utf8').catch((error: unknown) =>
            stop(fail('mail certificate', `${mail.ca ?? ''} cannot be read: ${messageOf(error)}`, 'Let SMTP_CA name a PEM file that the service may read.')),
          );
    dialog = await SmtpDialog.open({ host, port }, implicit ? { ca } : null).catch((error: unknown) => stop(unreachable(host, port, implicit, error)));
    const greeting = await dialog.reply();
    if (greeting.code !== 220) stop(fail('mail server', said(greeting), 'It answers, and does not want us: ask whoever runs it.'));
    checks.push(ok('mail server', `${host}:${port} answers`));

    let offers = await hello(dialog);
    if (implicit) checks.push(ok('mail TLS', `${dialog.protocol() ?? 'TLS'} from the first byte`));
    else if (offers.has('STARTTLS')) {
      const begun = await dialog.say('STARTTLS');
      if (begun.code !== 220)
        stop(fail('mail TLS', `STARTTLS is refused: ${said(begun)}`, 'Mails are sent to nobody without TLS; ask whoever runs the server, or use smtps://.'));
      await dialog.startTls(host, ca).catch((error: unknown) => stop(fail('mail TLS', messageOf(error), CERTIFICATE_FIX)));
      offers = await hello(dialog);
      checks.push(ok('mail TLS', `STARTTLS, ${dialog.protocol() ?? 'TLS'}`));
    } else if (local)
      checks.push(warn('mail TLS', 'the server offers none; it is on this machine', 'Fine for a trial; let the server speak TLS, or use one that does.'));
    else stop(fail('mail TLS', 'the server offers no STARTTLS, so the service sends it nothing', 'Use its smtps:// address, or a server that speaks TLS.'));

    checks.push(await authenticate(dialog, url, offers.get('AUTH') ?? ''));
    if (checks.at(-1)?.status === 'fail') throw new Stopped();

    const from = await dialog.say(`MAIL FROM:<${sender}>`);
    if (from.code !== 250) stop(fail('mail sender', `${sender} is refused: ${said(from)}`, 'Let MAIL_FROM name an address that this user may send from.'));
    checks.push(ok('mail sender', `${sender} may send`));
    if (to === undefined) await dialog.say('RSET');
    else checks.push(await testMail(dialog, { from: sender, to }));
    await dialog.say('QUIT').catch(() => undefined);
  } catch (error) {
    if (!(error instanceof Stopped))
      checks.push(fail('mail server', `the conversation broke off: ${messageOf(error)}`, 'Try again; then ask whoever runs the server.'));
  } finally {
    dialog?.close();
  }
  return checks;
}

const CERTIFICATE_FIX =
  'The service trusts what Node trusts: name the authority of an internal server by SMTP_CA, and use the name in SMTP_URL that stands in the certificate.';

function unreachable(host: string, port: number, implicit: boolean, error: unknown): Check {
  const words = messageOf(error);
  if (/certificate|altnames|self.signed/i.test(words)) return fail('mail TLS', words, CERTIFICATE_FIX);
  if (implicit && /wrong version|packet length|ssl/i.test(words))
    return fail('mail TLS', words, 'The server does not begin with TLS on this port: use smtp:// (STARTTLS), mostly on port 587.');
  return fail(
    'mail server',
    `${host}:${port} cannot be reached: ${words}`,
    'Check SMTP_URL and the way from this machine; many networks close port 25, and 587 or 465 is right for sending.',
  );
}

/** What the server offers, by keyword. */
async function hello(dialog: SmtpDialog): Promise<Map<string, string>> {
  const name = hostname().replaceAll(/[^A-Za-z0-9.-]/g, '-') || 'localhost';
  const { lines } = await dialog.say(`EHLO ${name}`);
  return new Map(
    lines.slice(1).map((line): [string, string] => [line.split(/[ =]/)[0]?.toUpperCase() ?? '', line.slice((line.split(/[ =]/)[0]?.length ?? 0) + 1)]),
  );
}

/** RFC 4954, by PLAIN (RFC 4616), else LOGIN. Never without TLS but on this machine: the looks before this one see to it. */
async function authenticate(dialog: SmtpDialog, url: URL, offered: string): Promise<Check> {
  const [user, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
  if (user === '')
    return offered === ''
      ? ok('mail user', 'none, and the server asks for none')
      : warn('mail user', 'SMTP_URL names none, and the server would take one', 'Where mails are refused: smtp://user:password@host:587.');
  const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
  let reply: Reply;
  if (/\bPLAIN\b/i.test(offered)) reply = await dialog.say(`AUTH PLAIN ${base64(`\0${user}\0${password}`)}`);
  else if (/\bLOGIN\b/i.test(offered)) {
    await dialog.say('AUTH LOGIN');
    await dialog.say(base64(user));
    reply = await dialog.say(base64(password));
  } else
    return fail(
      'mail user',
      `the server offers no way to log in that a password fits (${offered === '' ? 'none at all' : offered})`,
      'Let it offer PLAIN or LOGIN under TLS, or leave user and password out of SMTP_URL.',
    );
  return reply.code === 235
    ? ok('mail user', `${user} is let in`)
    : fail(
        'mail user',
        `user or password is refused: ${said(reply)}`,
        'Check both in SMTP_URL; characters such as @, / and % are written %40, %2F and %25. Some providers want an app password.',
      );
}

async function testMail(dialog: SmtpDialog, { from, to }: { from: string; to: string }): Promise<Check> {
  const recipient = await dialog.say(`RCPT TO:<${to}>`);
  if (recipient.code !== 250 && recipient.code !== 251)
    return fail('mail to', `${to} is refused: ${said(recipient)}`, 'A code that begins with 4 may pass in a minute (greylisting); 5 does not.');
  const begun = await dialog.say('DATA');
  if (begun.code !== 354) return fail('mail to', said(begun), 'The server takes no mail now.');
  const lines = [
    `From: Countersign <${from}>`,
    `To: <${to}>`,
    'Subject: Countersign can send mail',
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${randomUUID()}@${from.slice(from.lastIndexOf('@') + 1)}>`,
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    '',
    'This mail was sent by countersign doctor mail --to. If you can read it, requests for your approval reach you here.',
    'Look whether it came into the inbox and not into spam, and that From is who it should be.',
    '.',
  ];
  const sent = await dialog.say(lines.join('\r\n'));
  return sent.code === 250
    ? ok('mail to', `a mail to ${to} was taken: ${said(sent)}`)
    : fail('mail to', `the mail is refused: ${said(sent)}`, 'Its words say why.');
}

const said = ({ code, lines }: Reply): string => `${code} ${lines.join(' ')}`.trim();
