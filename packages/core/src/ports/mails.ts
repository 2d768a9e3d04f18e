/** Mails that were sent to people, or are about to be, and the link that each carries. */
import type { LeafRecord } from './records.js';

/** One mail to one person. What it says is not kept; its id follows from its key, so that a repeated mail is the same one. */
export interface MailRecord {
  tenant: string;
  /** A UUID. */
  id: string;
  person_id: string;
  /** Null where it is about no request, and carries no link. */
  request_id: string | null;
  created_at: string;
  /** Until when its link may be opened first. */
  expires_at: string;
  /** When the server took it; null: it may or may not have. */
  sent_at: string | null;
  /** What the server said when it refused the mail for good; null where it did not. */
  refused: string | null;
}

export interface MailStore {
  /**
   * Before it is sent: remembers it, and takes it for so long. `sent`: there is nothing to send. `busy`: somebody else sends it now. A mail
   * that was refused for good is not taken again for `refused_seconds`.
   */
  take(
    mail: Pick<MailRecord, 'tenant' | 'id' | 'person_id' | 'request_id' | 'expires_at'>,
    times: { lease_seconds: number; refused_seconds: number },
  ): Promise<{ kind: 'taken' | 'sent' | 'busy' | 'refused'; mail: MailRecord }>;
  sent(tenant: string, id: string): Promise<void>;
  /** It was not sent: whoever comes next takes it, or with words of the server's, it is refused for good. */
  returned(tenant: string, id: string, refused: string | null): Promise<void>;
  get(tenant: string, id: string): Promise<MailRecord | null>;
  /**
   * Spends the link, with its leaf: only the first time, by its person, in time and while its request waits, judged in one statement by the
   * database's clock. False otherwise.
   */
  open(mail: { tenant: string; id: string; person_id: string; session_id: string }, leaf: LeafRecord): Promise<boolean>;
  /** Whether the mail's link was opened in that session by that person, for that request. */
  wasOpened(mail: { tenant: string; id: string; person_id: string; session_id: string; request_id: string }): Promise<boolean>;
}
