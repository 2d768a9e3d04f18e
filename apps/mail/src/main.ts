import { type ChatWorld, createCardWorker, createNoticeWorker, PlatformError } from '@countersign/chat';
import type { MailStore, Signer } from '@countersign/core/ports';
import { type MailConfig, senderOf, smtpServerOf } from './config.js';
import { createMailer } from './mailer.js';
import { createMessenger } from './messenger.js';
import { createPlaces } from './places.js';
import { createPlatform } from './platform.js';
import { createSmtp, type Smtp } from './smtp.js';

/** What mail needs of the rest of the service; the composition root puts it together. */
export interface MailDeps {
  config: MailConfig;
  world: ChatWorld;
  mails: MailStore;
  /** The key that signs links now. */
  linkSigner(): Signer;
}

export interface MailBot {
  /** From now on requests are mailed. Nothing is asked of the server before there is a mail. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Sends what is due; the number of requests that were looked at. */
  work(): Promise<number>;
}

/**
 * Mail as a channel: the card, its end, and what people are told in between.
 * @throws TypeError where SMTP_URL or MAIL_FROM cannot be read
 */
export function createMail({ config, world, mails, linkSigner }: MailDeps): MailBot {
  const { tenant, publicUrl, store, requests, log } = world;
  const server = smtpServerOf(config.smtpUrl);
  const smtp: Smtp = createSmtp(config);
  const { domain } = senderOf(config.from);
  const mailer = createMailer({ tenant, publicUrl, domain, smtp, mails, directory: store.directory, requests, clock: world.flow.clock, signer: linkSigner });
  const places = createPlaces({ tenant, directory: store.directory, routing: store.routing });
  const messenger = createMessenger(mailer, places);
  const cards = createCardWorker({
    platform: createPlatform(mailer, places),
    messenger,
    world,
    onFault: ({ request_id, attempts, error }) => {
      const fix = error instanceof PlatformError ? FIXES[error.code] : undefined;
      log.warn({ err: error, request_id, attempts, ...(fix === undefined ? {} : { fix }) }, 'a mail could not be sent; it is tried again');
    },
  });

  const notices = createNoticeWorker(world, {
    platform: 'email',
    messenger,
    // Whoever reads a mail reads it alone.
    isPrivate: () => Promise.resolve(true),
    endIsMessage: true,
    first: () => cards.run(),
  });

  /** What fails is tried again; whatever it is, the other work goes on. */
  async function tried(work: () => Promise<number>, what: string): Promise<number> {
    try {
      return await work();
    } catch (error) {
      log.error({ err: error }, what);
      return 0;
    }
  }

  return {
    async start() {
      await store.cards.connect(tenant, 'email');
      log.info(
        { server: server.host, port: server.port, tls: server.implicitTls ? 'implicit' : server.tlsRequired ? 'STARTTLS' : 'where offered' },
        'mail is sent',
      );
    },
    async stop() {
      await Promise.all([cards.stop(), notices.stop()]);
      smtp.close();
    },
    async work() {
      const done = await tried(() => cards.run(), 'the mails could not be looked at');
      await tried(() => notices.run(), 'the notices could not be looked at');
      return done;
    },
  };
}

/** What an operator does about it. */
const FIXES: Partial<Record<PlatformError['code'], string>> = {
  refused: 'Run countersign doctor mail: the server refuses our user, our sender, our certificate check or the mail itself.',
  gone: "The server does not know this recipient: mend the person's address in the directory, or let policy name another channel. The request waits in the web inbox.",
};
