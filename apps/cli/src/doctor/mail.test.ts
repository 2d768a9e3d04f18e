import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { makeCertificate } from '@countersign/dev-env/certificates';
import { freePort } from '@countersign/dev-env/free-port';
import { type MailServer, type MailServerOptions, startMailServer } from '@countersign/dev-env/mail';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { countersign } from '../testing/terminal.js';
import type { Check } from './check.js';

let folder: string;
let server: MailServer;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'countersign-doctor-mail-'));
});
afterEach(() => server.close());
afterAll(() => rm(folder, { recursive: true }));

const USERS = { countersign: 'pass/word 1' };

async function doctor(change: Record<string, string> = {}, args: readonly string[] = []): Promise<{ code: number; text: string; by: Record<string, Check> }> {
  const ca = path.join(folder, 'ca.pem');
  await writeFile(ca, server.ca);
  const env = { SMTP_URL: server.url, MAIL_FROM: 'Countersign <approvals@example.com>', SMTP_CA: ca, ...change };
  const { code, out } = await countersign(['doctor', 'mail', '--json', ...args], { cwd: folder, env });
  const { checks }: { checks: Check[] } = JSON.parse(out);
  return { code, text: out, by: Object.fromEntries(checks.map((check) => [check.name, check])) };
}
async function start(options: MailServerOptions = { users: USERS }): Promise<void> {
  server = await startMailServer(options);
}

test.each([
  ['STARTTLS', {}],
  ['TLS from the first byte', { implicitTls: true }],
])('a sound server over %s: nothing fails, and no mail is sent', async (_, options) => {
  await start({ users: USERS, ...options });
  const { code, by, text } = await doctor();
  expect({ code, names: Object.keys(by), statuses: [...new Set(Object.values(by).map(({ status }) => status))] }).toEqual({
    code: 0,
    names: ['mail server', 'mail TLS', 'mail user', 'mail sender'],
    statuses: ['ok'],
  });
  expect(server.mails).toEqual([]);
  expect(text).not.toContain('pass/word');
});

test('--to sends one mail, as the service sends its own', async () => {
  await start();
  const { code, by } = await doctor({}, ['--to', 'olivia@example.com']);
  expect({ code, to: by['mail to']?.status }).toEqual({ code: 0, to: 'ok' });
  const [mail, ...rest] = server.to('olivia@example.com');
  expect(rest).toEqual([]);
  expect(mail).toMatchObject({ from: 'approvals@example.com', secure: true });
  expect(mail?.parsed).toMatchObject({ subject: 'Countersign can send mail' });
  expect((await countersign(['doctor', 'mail', '--to', 'x@y>\r\nDATA'], { cwd: folder, env: {} })).code).toBe(2);
});

test('a wrong password is told with what the server says, and without the password', async () => {
  await start();
  const { code, by, text } = await doctor({ SMTP_URL: server.url.replace(/:[^:@]*@/, ':hunter2@') });
  expect({ code, user: by['mail user'] }).toMatchObject({ code: 1, user: { status: 'fail', says: expect.stringContaining('535') } });
  expect(text).not.toContain('hunter2');
});

test('a certificate that nobody vouches for, or of another name, stops the look before a password is said', async () => {
  await start();
  expect((await doctor({ SMTP_CA: '' })).by).toMatchObject({ 'mail TLS': { status: 'fail', fix: expect.stringContaining('SMTP_CA') } });
  expect((await doctor({ SMTP_URL: server.url.replace('localhost', '127.0.0.1') })).by).toMatchObject({ 'mail TLS': { status: 'fail' } });
  await server.close();
  await start({ users: USERS, implicitTls: true, certificate: makeCertificate('localhost', { dns: ['localhost'] }) });
  const { by } = await doctor();
  expect(Object.keys(by)).toEqual(['mail TLS']);
});

test('a server that offers no TLS gets nothing, unless it is on this machine', async () => {
  await start({ tls: false });
  expect((await doctor({ SMTP_URL: `smtp://localhost:${String(server.port)}` })).by).toMatchObject({
    'mail TLS': { status: 'warn' },
    'mail sender': { status: 'ok' },
  });
  const elsewhere = await doctor({ SMTP_URL: `smtp://127.1:${String(server.port)}` });
  expect(elsewhere.by).toMatchObject({ 'mail TLS': { status: 'fail' } });
  expect(elsewhere.by).not.toHaveProperty('mail sender');
});

test('a sender or recipient that is refused, a server that is not there, and TLS on the wrong port are told apart', async () => {
  await start();
  server.refuse('MAIL FROM', 553, '5.7.1 Sender address not owned by user');
  expect((await doctor()).by).toMatchObject({ 'mail sender': { status: 'fail', says: expect.stringContaining('not owned') } });
  server.refuse('RCPT TO', 450, '4.2.0 Greylisted');
  expect((await doctor({}, ['--to', 'x@example.com'])).by).toMatchObject({ 'mail to': { status: 'fail', says: expect.stringContaining('Greylisted') } });
  expect((await doctor({ SMTP_URL: `smtp://localhost:${String(await freePort())}` })).by).toMatchObject({
    'mail server': { status: 'fail', says: expect.stringContaining('ECONNREFUSED') },
  });
  expect((await doctor({ SMTP_URL: server.url.replace('smtp:', 'smtps:') })).by).toMatchObject({
    'mail TLS': { status: 'fail', fix: expect.stringContaining('smtp://') },
  });
});

test('what is not configured is said, with where to read', async () => {
  await start();
  const { code, by } = await doctor({ SMTP_URL: '', MAIL_FROM: '', SMTP_CA: '' });
  expect({ code, mail: by['mail'] }).toMatchObject({ code: 1, mail: { status: 'fail', fix: expect.stringContaining('docs/email.md') } });
});
