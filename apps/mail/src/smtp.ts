import { PlatformError } from '@countersign/chat';
import { createTransport } from 'nodemailer';
import { type MailConfig, senderOf, smtpServerOf } from './config.js';

/** What is sent to one person. */
export interface OutgoingMail {
  to: string;
  /** With its angle brackets. */
  messageId: string;
  /** The first mail of the thread; null for that one itself. */
  inReplyTo: string | null;
  subject: string;
  text: string;
  html: string;
}

export interface Smtp {
  /** Throws PlatformError and nothing else: `gone` where the server refuses this recipient for good. */
  send(mail: OutgoingMail): Promise<void>;
  close(): void;
}

/** How long each step may take, in milliseconds: a worker holds its task for a minute. */
const STEP_MS = 10_000;
/** A server that asks to be tried later (greylisting, RFC 6647) is left alone for so long, in seconds. */
const LATER_SECONDS = 60;

/** The mail server, over few connections that are kept. Without TLS nothing is said to a server that is not on this machine. */
export function createSmtp(config: MailConfig): Smtp {
  const server = smtpServerOf(config.smtpUrl);
  const { name, address } = senderOf(config.from);
  const transport = createTransport({
    pool: true,
    maxConnections: 3,
    // Whether a mail was taken is for us to judge: nodemailer would send it again by itself.
    maxRequeues: 0,
    host: server.host,
    port: server.port,
    secure: server.implicitTls,
    requireTLS: !server.implicitTls && server.tlsRequired,
    ...(server.auth === null ? {} : { auth: { user: server.auth.user, pass: server.auth.password } }),
    tls: { minVersion: 'TLSv1.2', ...(config.ca === undefined ? {} : { ca: config.ca }) },
    connectionTimeout: STEP_MS,
    greetingTimeout: STEP_MS,
    socketTimeout: 2 * STEP_MS,
    dnsTimeout: STEP_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  // What fails is told to whoever sends; an idle connection that ends is nobody's fault.
  transport.on('error', () => undefined);

  return {
    async send({ to, messageId, inReplyTo, subject, text, html }) {
      try {
        await transport.sendMail({
          from: name === '' ? address : { name, address },
          to: { name: '', address: to },
          envelope: { from: address, to: [to] },
          messageId,
          ...(inReplyTo === null ? {} : { inReplyTo, references: [inReplyTo] }),
          subject,
          text,
          html,
          // No robot answers a robot (RFC 3834, section 5; the second is Exchange's word for it).
          headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
        });
      } catch (error) {
        throw asPlatformError(error);
      }
    },
    close: () => transport.close(),
  };
}

/** What nodemailer says of a failure, as far as we read it. */
interface SmtpFailure {
  code?: unknown;
  command?: unknown;
  responseCode?: unknown;
  response?: unknown;
  message?: unknown;
}

/** By the server's reply (RFC 5321, section 4.2.1): 4yz is tried again, 5yz is refused. Nothing of it holds our password. */
function asPlatformError(cause: unknown): PlatformError {
  const { code, command, responseCode, response, message } = (typeof cause === 'object' && cause !== null ? cause : {}) as SmtpFailure;
  const reply = typeof responseCode === 'number' ? responseCode : 0;
  const words =
    typeof response === 'string' && response !== '' ? response.replaceAll(/\s+/g, ' ').slice(0, 300) : String(message ?? code ?? cause).slice(0, 300);
  if (code === 'EAUTH' || code === 'ENOAUTH' || code === 'EOAUTH2') {
    return reply >= 400 && reply < 500
      ? new PlatformError('unreachable', `The mail server cannot check the password now: ${words}`, { cause, retryAfterSeconds: LATER_SECONDS })
      : new PlatformError('refused', `The mail server refuses the user or password of SMTP_URL: ${words}`, { cause });
  }
  if (code === 'ETLS' || isCertificateFault(words))
    return new PlatformError('refused', `No safe connection to the mail server, so nothing was sent: ${words}`, { cause });
  if (reply >= 500) {
    return command === 'RCPT TO' || /\b5\.1\.\d/.test(words)
      ? new PlatformError('gone', `The mail server refuses the recipient for good: ${words}`, { cause })
      : new PlatformError('refused', `The mail server refuses the mail: ${words}`, { cause });
  }
  if (reply >= 400) return new PlatformError('unreachable', `The mail server asks to try later: ${words}`, { cause, retryAfterSeconds: LATER_SECONDS });
  return new PlatformError('unreachable', `The mail server does not answer: ${words}`, { cause });
}

/** Of Node's TLS (OpenSSL's verify codes, and names that do not match). */
const isCertificateFault = (words: string): boolean =>
  /certificate|self[- ]signed|unable to verify|altnames|wrong version number|ssl routines|handshake failure|unsupported protocol/i.test(words);
