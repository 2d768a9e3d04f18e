import { PlatformError } from '@countersign/chat';
import { MAIL_LINK_SECONDS, mailIdOf, mailLink } from '@countersign/core/flow';
import type { Clock, DirectoryStore, MailStore, RequestStore, Signer } from '@countersign/core/ports';
import { isMailAddress } from './config.js';
import type { MailContent } from './render.js';
import type { Smtp } from './smtp.js';

/** Longer than a mail may take, in seconds: whoever finds it unsent after that sends it. */
const LEASE_SECONDS = 90;
/** An address that the server refused for good is tried again after so long, in seconds, in case somebody mends it. */
const REFUSED_SECONDS = 3_600;

export interface MailerDeps {
  tenant: string;
  publicUrl: string;
  /** The domain of MAIL_FROM, in which our mails have their names. */
  domain: string;
  smtp: Pick<Smtp, 'send'>;
  mails: MailStore;
  directory: Pick<DirectoryStore, 'person'>;
  requests: Pick<RequestStore, 'state'>;
  clock: Clock;
  /** The key that signs links now. */
  signer(): Signer;
}

/** A mail that was sent, as the record of a card or notice keeps it. */
export type MailRef = { mail: string; person: string };

export interface Mail {
  /** The person's id. */
  person: string;
  /** Whose page its link opens; null where it has none. */
  request: string | null;
  /** Unique for the mail: the same key is the same mail, and sent once. */
  key: string;
  /** The first mail of the thread. */
  after: MailRef | null;
  /** What it says, around its link. */
  content(link: string | null): MailContent;
}

/**
 * Sends mails to people, each once. It is remembered before it is sent and marked once the server has it; a mail of which that is not known is
 * sent again as the very same one, with the same Message-ID and the same link, which mailboxes show once.
 */
export function createMailer(deps: MailerDeps) {
  const { tenant, mails } = deps;
  const messageIdOf = (id: string): string => `<${id}@${deps.domain}>`;

  return {
    /** Throws PlatformError and nothing else that is not a fault of ours. */
    async send({ person: person_id, request: request_id, key, after, content }: Mail): Promise<MailRef> {
      const id = mailIdOf(tenant, person_id, key);
      const ref: MailRef = { mail: id, person: person_id };
      const expires_at = new Date(Date.parse(deps.clock.now()) + MAIL_LINK_SECONDS * 1000).toISOString();
      // A settled request has nothing to decide any more: its page's own address asks who reads it, as ever.
      const waits = request_id !== null && (await deps.requests.state(tenant, request_id))?.request.status === 'pending';
      const taken = await mails.take({ tenant, id, person_id, request_id, expires_at }, { lease_seconds: LEASE_SECONDS, refused_seconds: REFUSED_SECONDS });
      if (taken.kind === 'sent') return ref;
      if (taken.kind === 'busy') throw new PlatformError('unreachable', 'The mail is being sent by another worker', { retryAfterSeconds: LEASE_SECONDS });
      if (taken.kind === 'refused') throw new PlatformError('gone', taken.mail.refused ?? 'The mail server refused the recipient for good');
      let refused: string | null = null;
      try {
        const person = await deps.directory.person(tenant, person_id);
        if (person === null || !person.active) throw new PlatformError('gone', `${person_id} is not in the directory any more`);
        if (!isMailAddress(person.email)) throw new PlatformError('gone', `The directory's address of ${person_id} takes no mail`);
        const link = !waits ? null : await mailLink({ signer: deps.signer(), publicUrl: deps.publicUrl }, taken.mail);
        await deps.smtp.send({ to: person.email, messageId: messageIdOf(id), inReplyTo: after === null ? null : messageIdOf(after.mail), ...content(link) });
      } catch (error) {
        if (error instanceof PlatformError && error.code === 'gone') refused = error.message.slice(0, 500);
        await mails.returned(tenant, id, refused);
        throw error;
      }
      await mails.sent(tenant, id);
      return ref;
    },

    /** Whether that mail was sent. */
    async find(person_id: string, key: string): Promise<MailRef | null> {
      const id = mailIdOf(tenant, person_id, key);
      const mail = await mails.get(tenant, id);
      return mail?.sent_at == null ? null : { mail: id, person: person_id };
    },
  };
}

export type Mailer = ReturnType<typeof createMailer>;

/** What a record keeps; null where it is no mail of ours. */
export function mailRefOf(ref: Readonly<Record<string, unknown>>): MailRef | null {
  const { mail, person } = ref;
  return typeof mail === 'string' && typeof person === 'string' ? { mail, person } : null;
}
