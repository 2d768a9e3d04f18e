import { sha256 } from '@noble/hashes/sha2.js';
import { CoreError } from '../errors.js';
import type { Clock, Entropy, MailRecord, MailStore, RequestStore, Sealer, Signer } from '../ports.js';
import { base64url, fromBase64url, fromHex, hex, utf8 } from '../request/bytes.js';
import { canonicalJson } from '../request/canonical-json.js';
import { leafMaker, openPayload } from './record-key.js';

/** How long the link of a mail may be opened first, in seconds: 7 days, and never longer than its request waits. */
export const MAIL_LINK_SECONDS = 7 * 24 * 3600;

export interface MailLinkDeps {
  mails: Pick<MailStore, 'get' | 'open'>;
  requests: Pick<RequestStore, 'state'>;
  /** Whether one of our keys for links, retired ones included, has signed that. */
  verify(bytes: Uint8Array, signature: Uint8Array): Promise<boolean>;
  sealer: Sealer;
  clock: Clock;
  entropy: Entropy;
}

/**
 * The id of a mail: the same for the same key and person, so that a mail that is sent once more, because the first answer was lost, is
 * the same mail with the same link. A UUID of version 8 (RFC 9562, section 5.8).
 */
export function mailIdOf(tenant: string, person_id: string, key: string): string {
  const hash = sha256(utf8(`countersign/mail\0${tenant}\0${person_id}\0${key}`)).slice(0, 16);
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  return uuidOf(hash);
}

/**
 * The address that a mail carries: the mail's id and our signature over what the link is for. The token stands in the fragment, which
 * browsers send to nobody; what it opens, it opens by POST, once, for the person who is signed in. By itself it signs nobody in.
 */
export async function mailLink(deps: { signer: Signer; publicUrl: string }, mail: MailRecord): Promise<string> {
  const signature = await deps.signer.sign(statementOf(mail));
  return `${deps.publicUrl}/m#${base64url(new Uint8Array([...bytesOf(mail.id), ...signature]))}`;
}

export type OpenedMail =
  | { kind: 'opened'; mail: string; request_id: string }
  /** Forged, over, another person's, or of no request. */
  | { kind: 'over' }
  /** The person's own, and spent before. */
  | { kind: 'spent'; request_id: string };

/** Spends the token of a mail's link for the person of a session. What it opens is the request's page, and nothing is decided. */
export async function openMailLink(deps: MailLinkDeps, token: string, by: { tenant: string; person_id: string; session_id: string }): Promise<OpenedMail> {
  const bytes = bytesOfToken(token);
  if (bytes === null) return { kind: 'over' };
  const id = uuidOf(bytes.slice(0, ID_BYTES));
  const mail = await deps.mails.get(by.tenant, id);
  if (mail === null || mail.request_id === null || !(await deps.verify(statementOf(mail), bytes.slice(ID_BYTES)))) return { kind: 'over' };
  if (mail.person_id !== by.person_id) return { kind: 'over' };
  const state = await deps.requests.state(by.tenant, mail.request_id);
  if (state === null) return { kind: 'over' };
  const { recordKey } = await openPayload(deps.sealer, state.request);
  const leaf = leafMaker(deps, { tenant: by.tenant, subject: mail.request_id, recordKey });
  const opened = await deps.mails.open({ ...by, id }, leaf('mail.opened', deps.clock.now(), { mail: id }, { person: by.person_id }));
  return opened ? { kind: 'opened', mail: id, request_id: mail.request_id } : { kind: 'spent', request_id: mail.request_id };
}

/** What is signed: nothing of it can be changed in the store without the key. */
function statementOf({ tenant, id, person_id, request_id, expires_at }: MailRecord): Uint8Array {
  return utf8(`countersign/mail-link/v1\n${canonicalJson({ tenant, id, person_id, request_id, expires_at })}`);
}

const ID_BYTES = 16;
/** The id and a signature of 64 bytes, in base64url without padding. */
const TOKEN = /^[A-Za-z0-9_-]{107}$/;

/** Null where it is not in its one spelling. */
function bytesOfToken(token: string): Uint8Array | null {
  if (!TOKEN.test(token)) return null;
  try {
    return fromBase64url(token);
  } catch (error) {
    if (error instanceof CoreError) return null;
    throw error;
  }
}

const bytesOf = (uuid: string): Uint8Array => fromHex(uuid.replaceAll('-', ''));
function uuidOf(bytes: Uint8Array): string {
  const digits = hex(bytes);
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join('-');
}
