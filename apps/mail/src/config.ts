/** How mail is sent; the service reads it from the environment. */
export interface MailConfig {
  /** SMTP_URL: smtp://user:password@host:587 or smtps://…:465. Holds a secret. */
  smtpUrl: string;
  /** MAIL_FROM: an address, or `Name <address>`. */
  from: string;
  /** The PEM text of SMTP_CA: who may have signed the server's certificate, besides those whom Node trusts. */
  ca?: string | undefined;
}

/** A mail server, as SMTP_URL names it. */
export interface SmtpServer {
  host: string;
  port: number;
  /** TLS from the first byte (RFC 8314, section 3); else STARTTLS. */
  implicitTls: boolean;
  /** Whether nothing is said to a server that does not speak TLS: all but one on this machine. */
  tlsRequired: boolean;
  auth: { user: string; password: string } | null;
}

/** @throws TypeError where it is no address of a mail server. The message holds none of it. */
export function smtpServerOf(smtpUrl: string): SmtpServer {
  const url = URL.canParse(smtpUrl) ? new URL(smtpUrl) : null;
  if (url === null || !/^smtps?:$/.test(url.protocol) || url.hostname === '') throw new TypeError('SMTP_URL is no smtp:// or smtps:// address');
  const implicitTls = url.protocol === 'smtps:';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const [user, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
  return {
    host,
    port: url.port === '' ? (implicitTls ? 465 : 587) : Number(url.port),
    implicitTls,
    tlsRequired: !isLoopback(host),
    auth: user === '' ? null : { user, password },
  };
}

/** Name and address of MAIL_FROM. @throws TypeError */
export function senderOf(from: string): { name: string; address: string; domain: string } {
  const found = /^(?:"?([^"<>\r\n]*?)"?\s*<([^<>\s]+)>|([^<>\s]+))$/.exec(from.trim());
  const address = found?.[2] ?? found?.[3] ?? '';
  if (!isMailAddress(address)) throw new TypeError('MAIL_FROM is no address');
  return { name: found?.[1] ?? '', address, domain: address.slice(address.lastIndexOf('@') + 1) };
}

/** Whether a mail can be sent there: one mailbox, and nothing that means something in a header or a command (RFC 5321, section 4.1.2; no quoted local parts). */
export function isMailAddress(text: string): boolean {
  return text.length <= 254 && /^[^\s\u0000-\u0020\u007f-\u009f"(),:;<>@[\\\]]{1,64}@[\p{L}\p{N}](?:[\p{L}\p{N}.-]*[\p{L}\p{N}])?$/u.test(text);
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
