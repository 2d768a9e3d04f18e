import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';

/** What a server said to a command: its code and its words (RFC 5321, section 4.2). */
export interface Reply {
  code: number;
  lines: string[];
}

/** Longer than any step of a mail server that is well, in milliseconds. */
const STEP_MS = 10_000;

/**
 * A conversation with a mail server, one command at a time. The service sends its mails by nodemailer; a look at what is wrong wants each
 * answer of the server by itself.
 */
export class SmtpDialog {
  #socket: Socket | TLSSocket;
  #read = '';
  #failed: Error | null = null;
  #wake: (() => void) | null = null;

  private constructor(socket: Socket | TLSSocket) {
    this.#socket = socket;
    this.#listen();
  }

  /** @param tls from the first byte; else it can be begun by `startTls` */
  static async open(server: { host: string; port: number }, tls: { ca?: string | undefined } | null): Promise<SmtpDialog> {
    const socket = tls === null ? connectTcp(server) : connectTls({ ...server, ...tlsOptions(server.host, tls.ca) });
    await opened(socket, tls === null ? 'connect' : 'secureConnect');
    return new SmtpDialog(socket);
  }

  /** The next reply, without a command: the greeting. */
  async reply(): Promise<Reply> {
    const until = Date.now() + STEP_MS;
    for (;;) {
      const whole = /^((?:\d{3}-[^\n]*\n)*\d{3}(?: [^\n]*)?\r?\n)/.exec(this.#read)?.[1];
      if (whole !== undefined) {
        this.#read = this.#read.slice(whole.length);
        const lines = whole.trimEnd().split(/\r?\n/);
        return {
          code: Number(whole.slice(0, 3)),
          lines: lines.map((line) =>
            line
              .slice(4)
              .replaceAll(/[^\x20-\x7e]/g, '?')
              .slice(0, 300),
          ),
        };
      }
      if (this.#failed !== null) throw this.#failed;
      const left = until - Date.now();
      if (left <= 0 || this.#read.length > 100_000) throw new Error('it does not answer');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async say(command: string): Promise<Reply> {
    this.#socket.write(`${command}\r\n`);
    return this.reply();
  }

  /** RFC 3207: what was read before counts no more. */
  async startTls(host: string, ca: string | undefined): Promise<void> {
    this.#socket.removeAllListeners();
    // The host, too: where a socket is handed over Node would hold the certificate against localhost.
    const socket = connectTls({ socket: this.#socket, host, ...tlsOptions(host, ca) });
    await opened(socket, 'secureConnect');
    this.#socket = socket;
    this.#read = '';
    this.#listen();
  }

  /** `TLSv1.3`; null without TLS. */
  protocol(): string | null {
    return 'getProtocol' in this.#socket ? this.#socket.getProtocol() : null;
  }

  close(): void {
    this.#socket.destroy();
  }

  #listen(): void {
    this.#socket.setEncoding('utf8');
    this.#socket.on('data', (chunk: string) => {
      this.#read += chunk;
      this.#wake?.();
    });
    const end = (error: Error) => {
      this.#failed ??= error;
      this.#wake?.();
    };
    this.#socket.on('error', end);
    this.#socket.on('close', () => end(new Error('it closed the connection')));
  }
}

/** Names are checked; addresses have none. */
const tlsOptions = (host: string, ca: string | undefined) => ({
  servername: /^[\d.]+$|:/.test(host) ? '' : host,
  minVersion: 'TLSv1.2' as const,
  ...(ca === undefined ? {} : { ca }),
});

function opened(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error('it does not answer'));
    }, STEP_MS);
    socket.once(event, () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve();
    });
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}
