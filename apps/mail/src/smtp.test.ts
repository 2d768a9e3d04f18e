import { afterEach, expect, test } from '@jest/globals';
import { PlatformError } from '@countersign/chat';
import { makeCertificate } from '@countersign/dev-env/certificates';
import { freePort } from '@countersign/dev-env/free-port';
import { type MailServer, type MailServerOptions, startMailServer } from '@countersign/dev-env/mail';
import { createServer } from 'node:net';
import { isMailAddress, senderOf, smtpServerOf } from './config.js';
import { createSmtp, type Smtp } from './smtp.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close();
});

const MAIL = { to: 'alice@example.com', messageId: '<1@example.com>', inReplyTo: null, subject: 'Approval needed', text: 'text', html: '<p>html</p>' };
async function serve(options: MailServerOptions = {}): Promise<MailServer> {
  const server = await startMailServer(options);
  open.push(server);
  return server;
}
function smtp(smtpUrl: string, ca?: string): Smtp {
  const made = createSmtp({ smtpUrl, from: 'Countersign <approvals@example.com>', ca });
  open.push(made);
  return made;
}
const faultOf = async (sent: Promise<void>): Promise<[string, string]> => {
  const error: unknown = await sent.then(
    () => new Error('it was sent'),
    (fault: unknown) => fault,
  );
  if (!(error instanceof PlatformError)) throw error;
  return [error.code, error.message];
};

test.each([
  ['STARTTLS', {}],
  ['TLS from the first byte', { implicitTls: true }],
])('a mail goes by %s with user and password', async (_, options) => {
  const server = await serve({ users: { 'count er': 'p@ss/1' }, ...options });
  await smtp(server.url, server.ca).send(MAIL);
  expect(server.mails).toMatchObject([
    {
      to: ['alice@example.com'],
      secure: true,
      parsed: { messageId: '<1@example.com>', subject: 'Approval needed', from: { text: '"Countersign" <approvals@example.com>' } },
    },
  ]);
});

test('A5: without a certificate that counts nothing is said to the server, whoever it pretends to be', async () => {
  const server = await serve();
  expect((await faultOf(smtp(server.url).send(MAIL)))[0]).toBe('refused');
  expect((await faultOf(smtp(server.url.replace('localhost', '127.0.0.1'), server.ca).send(MAIL)))[0]).toBe('refused');
  const forged = await serve({ certificate: makeCertificate('localhost', { dns: ['localhost'] }) });
  expect((await faultOf(smtp(forged.url, server.ca).send(MAIL)))[0]).toBe('refused');
  expect([...server.mails, ...forged.mails]).toEqual([]);
});

test('a server elsewhere that offers no STARTTLS gets nothing; one on this machine may', async () => {
  const server = await serve({ tls: false });
  // Another spelling of this machine's address, as if it were one elsewhere.
  expect((await faultOf(smtp(`smtp://127.1:${String(server.port)}`, server.ca).send(MAIL)))[0]).toBe('refused');
  expect(server.mails).toEqual([]);
  await smtp(`smtp://localhost:${String(server.port)}`).send(MAIL);
  expect(server.mails).toMatchObject([{ secure: false }]);
});

test('what a server says tells what becomes of the mail: 4yz later, 5yz never to this recipient, or not by this user', async () => {
  const server = await serve({ users: { u: 'p' } });
  const sender = smtp(server.url, server.ca);
  for (const [at, code, words, becomes] of [
    ['RCPT TO', 450, '4.2.0 Greylisted', 'unreachable'],
    ['RCPT TO', 550, '5.1.1 No such user', 'gone'],
    ['MAIL FROM', 553, '5.7.1 Not your address', 'refused'],
    ['DATA', 554, '5.7.1 Spam', 'refused'],
    ['DATA', 451, '4.3.0 Try later', 'unreachable'],
    ['DATA', 550, '5.1.6 Mailbox has moved', 'gone'],
    ['AUTH', 535, '5.7.8 Bad password', 'refused'],
    ['AUTH', 454, '4.7.0 Temporary', 'unreachable'],
  ] as const) {
    server.refuse(at, code, words);
    // A login is kept for the next mail: a new one each time shows each refusal.
    const [found, message] = await faultOf(at === 'AUTH' ? smtp(server.url, server.ca).send(MAIL) : sender.send(MAIL));
    expect({ at, code, found, said: message.includes(words.slice(6)) }).toEqual({ at, code, found: becomes, said: true });
  }
  expect(server.mails).toEqual([]);
  await sender.send(MAIL);
  expect(server.mails).toHaveLength(1);
});

test('a server that is not there, hangs up, or speaks something else is one that does not answer', async () => {
  expect((await faultOf(smtp(`smtp://localhost:${String(await freePort())}`).send(MAIL)))[0]).toBe('unreachable');
  for (const greeting of ['', 'HTTP/1.1 400 Bad Request\r\n\r\n']) {
    const port = await freePort();
    const other = createServer((socket) => socket.on('error', () => undefined).end(greeting));
    open.push({ close: () => new Promise((resolve) => other.close(resolve)) });
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    expect((await faultOf(smtp(`smtp://localhost:${String(port)}`).send(MAIL)))[0]).toBe('unreachable');
  }
});

test('a mail whose connection breaks after it was taken is not sent again by itself', async () => {
  const server = await serve();
  server.loseAnswer();
  expect((await faultOf(smtp(server.url, server.ca).send(MAIL)))[0]).toBe('unreachable');
  expect(server.mails).toHaveLength(1);
});

test('addresses of servers, senders and people are read strictly', () => {
  expect(smtpServerOf('smtp://u%40x:p%2F1@mail.example.com')).toEqual({
    host: 'mail.example.com',
    port: 587,
    implicitTls: false,
    tlsRequired: true,
    auth: { user: 'u@x', password: 'p/1' },
  });
  expect(smtpServerOf('smtps://[::1]')).toEqual({ host: '::1', port: 465, implicitTls: true, tlsRequired: false, auth: null });
  for (const wrong of ['https://x', 'smtp:', 'mail.example.com:25']) expect(() => smtpServerOf(wrong)).toThrow(TypeError);
  expect(senderOf('Countersign Approvals <a@example.com>')).toEqual({ name: 'Countersign Approvals', address: 'a@example.com', domain: 'example.com' });
  expect(() => senderOf('a@example.com, b@example.com')).toThrow(TypeError);
  const good = ['a@example.com', "o'hara+x@sub.example.co", 'jürgen@bücher.example'];
  const bad = [
    '',
    'a',
    'a@',
    '@b',
    'a@b c',
    'a\r\nRCPT TO:<x@y>@b',
    'a,b@c',
    '<a@b>',
    'a@b>',
    'a@[127.0.0.1]',
    `${'x'.repeat(65)}@b.c`,
    'a@b@c',
    'a@-b',
    'a@b.',
  ];
  expect(good.filter((address) => !isMailAddress(address))).toEqual([]);
  expect(bad.filter(isMailAddress)).toEqual([]);
});
