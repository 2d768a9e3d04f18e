import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';
import { type Certificate, makeCertificate } from '../certificates.js';
import { freePort } from '../free-port.js';

/**
 * A real SMTP server on loopback, by the authors of nodemailer: EHLO, STARTTLS, AUTH and the rest of RFC 5321 on the wire. It keeps what it took,
 * parsed as a mail program parses it, and fails on demand as servers fail.
 */
export async function startMailServer(options: MailServerOptions = {}): Promise<MailServer> {
  const authority = makeCertificate('Test mail authority', { ca: true });
  const certificate = makeCertificate('localhost', { by: authority, dns: ['localhost'] });
  const mails: ReceivedMail[] = [];
  const orders: Order[] = [];
  const sessions: SMTPServerSession[] = [];
  const port = await freePort();
  let refused = 0;
  let server: SMTPServer | null = null;

  /** The reply that was ordered for this step, as the error that the library makes a reply of. */
  const ordered = (at: Step, address = ''): Error | null => {
    const order = orders.find((one) => one.at === at && one.times > 0 && (one.address === undefined || one.address === address));
    if (order === undefined) return null;
    order.times -= 1;
    refused += 1;
    return Object.assign(new Error(order.words), { responseCode: order.code });
  };

  const listen = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const made = new SMTPServer({
        secure: options.implicitTls ?? false,
        ...(options.tls === false ? { hideSTARTTLS: true, disabledCommands: ['STARTTLS'] } : {}),
        key: (options.certificate ?? certificate).key,
        cert: (options.certificate ?? certificate).cert,
        authOptional: options.users === undefined,
        allowInsecureAuth: false,
        size: options.mostBytes ?? 10_000_000,
        logger: false,
        // Nobody has to wait for the names of loopback addresses.
        disableReverseLookup: true,
        closeTimeout: 100,
        onAuth({ username = '', password = '' }, _session, callback) {
          const fault = ordered('AUTH');
          if (fault !== null) return callback(fault);
          if (options.users?.[username] === password) return callback(null, { user: username });
          callback(Object.assign(new Error('5.7.8 Authentication credentials invalid'), { responseCode: 535 }));
        },
        onMailFrom: ({ address }, _session, callback) => callback(ordered('MAIL FROM', address)),
        onRcptTo: ({ address }, _session, callback) => callback(ordered('RCPT TO', address)),
        onData(stream, session, callback) {
          const chunks: Buffer[] = [];
          stream.on('data', (chunk: Buffer) => chunks.push(chunk));
          stream.on('end', () => {
            const fault = ordered('DATA');
            if (fault !== null) return callback(fault);
            if (stream.sizeExceeded) return callback(Object.assign(new Error('5.3.4 Message too big'), { responseCode: 552 }));
            const raw = Buffer.concat(chunks);
            simpleParser(raw, { skipTextToHtml: true, skipHtmlToText: true, skipTextLinks: true, skipImageLinks: true }).then((parsed) => {
              const { mailFrom, rcptTo } = session.envelope;
              mails.push({
                from: mailFrom === false ? '' : mailFrom.address,
                to: rcptTo.map(({ address }) => address),
                raw: raw.toString('utf8'),
                parsed,
                secure: session.secure,
              });
              sessions.push(session);
              // The mail is in the mailbox, and nobody learns it.
              if (lost > 0) {
                lost -= 1;
                for (const connection of made.connections) if (connection.session.id === session.id) connection.close();
                return;
              }
              callback();
            }, callback);
          });
        },
      });
      // A client that gives up is no fault of the server's.
      made.on('error', () => undefined);
      made.once('error', reject);
      made.listen(port, '127.0.0.1', () => resolve());
      server = made;
    });
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      if (server === null) return resolve();
      const closing = server;
      server = null;
      for (const connection of closing.connections) connection.close();
      closing.close(() => resolve());
    });
  let lost = 0;
  await listen();

  return {
    host: 'localhost',
    port,
    url: `${options.implicitTls === true ? 'smtps' : 'smtp'}://${options.users === undefined ? '' : `${Object.entries(options.users)[0]?.map(encodeURIComponent).join(':') ?? ''}@`}localhost:${String(port)}`,
    ca: authority.cert,
    mails,
    get refused() {
      return refused;
    },
    to: (address) => mails.filter(({ to }) => to.includes(address)),
    refuse: (at, code, words, when = {}) => {
      orders.push({ at, code, words, times: when.times ?? 1, ...(when.address === undefined ? {} : { address: when.address }) });
    },
    loseAnswer: (times = 1) => {
      lost += times;
    },
    heal: () => {
      orders.length = 0;
      lost = 0;
    },
    down: close,
    up: async () => {
      if (server === null) await listen();
    },
    close,
  };
}

export interface MailServerOptions {
  /** TLS from the first byte. */
  implicitTls?: boolean;
  /** False: the server offers no STARTTLS. */
  tls?: false;
  /** By name with password; absent: nobody has to authenticate. */
  users?: Readonly<Record<string, string>>;
  /** In place of one for localhost by the server's own authority. */
  certificate?: Certificate;
  mostBytes?: number;
}

export interface ReceivedMail {
  /** Of the envelope. */
  from: string;
  to: string[];
  /** As it came. */
  raw: string;
  parsed: ParsedMail;
  /** Whether it came by TLS. */
  secure: boolean;
}

/** At which command the server says no. */
export type Step = 'AUTH' | 'MAIL FROM' | 'RCPT TO' | 'DATA';

export interface MailServer {
  readonly host: string;
  readonly port: number;
  /** As SMTP_URL has it, with the first of the users. */
  readonly url: string;
  /** The authority's certificate, for SMTP_CA. */
  readonly ca: string;
  /** Everything that the server took, in order. */
  readonly mails: readonly ReceivedMail[];
  /** How often it said no on order. */
  readonly refused: number;
  to(address: string): ReceivedMail[];
  /** The next `times` (1) uses of the command, by or for that address, get this reply. */
  refuse(at: Step, code: number, words: string, when?: { times?: number; address?: string }): void;
  /** The next mails are taken, and the connection dies before the server says so. */
  loseAnswer(times?: number): void;
  heal(): void;
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

interface Order {
  at: Step;
  code: number;
  words: string;
  times: number;
  address?: string;
}
