/** Who people are at an identity provider, sign-ins under way, and what people keep of their own: sessions, tokens, chat accounts. */
import type { PersonalTokenRecord, SessionRecord } from './credentials.js';
import type { AccountLink, ChatAccount } from './directory.js';
import type { Person } from './people.js';
import type { LeafRecord } from './records.js';

/** A person's subject at an issuer. The issuer's own rules make it stable; an e-mail address never is one. */
export interface IdentityLink {
  tenant: string;
  issuer: string;
  subject: string;
  person_id: string;
  how: 'directory' | 'email' | 'jit' | 'administrator';
  linked_at: string;
  last_used_at: string | null;
  /** From then on it signs nobody in, and does not come back by e-mail. */
  cut_at: string | null;
}

/** A sign-in that went off to the provider. */
export interface SignInAttempt {
  /** SHA-256 of the state. */
  hash: Uint8Array;
  tenant: string;
  provider: string;
  /** SHA-256 of the value in the browser's cookie. */
  browser_hash: Uint8Array;
  return_to: string;
  /** In seconds; null where nothing was asked. */
  max_age: number | null;
  acr: string | null;
  /** Where it proves a chat account: the hash of that link's token. */
  link_hash: Uint8Array | null;
  expires_at: string;
}

/** A session as lists show it. */
export type SessionView = Omit<SessionRecord, 'hash' | 'sealed_hint'>;

export type TokenView = Omit<PersonalTokenRecord, 'hash'>;

/** Sign-ins, the links to identity providers, and lists of sessions and tokens. */
export interface IdentityStore {
  startSignIn(attempt: SignInAttempt): Promise<void>;
  /** Takes the attempt, once and only with the browser's own value, in one atomic statement; null when unknown, spent, over, or another browser's. */
  spendSignIn(hash: Uint8Array, browser_hash: Uint8Array): Promise<SignInAttempt | null>;

  identity(tenant: string, issuer: string, subject: string): Promise<IdentityLink | null>;
  identitiesOf(tenant: string, person_id: string | null): Promise<IdentityLink[]>;
  /** Links, with its leaf. `taken`: the subject belongs to somebody, was cut off, or the person has another subject there. */
  linkIdentity(link: IdentityLink, leaf: LeafRecord): Promise<'linked' | 'taken'>;
  cutIdentity(tenant: string, issuer: string, subject: string, leaf: LeafRecord): Promise<boolean>;
  usedIdentity(tenant: string, issuer: string, subject: string): Promise<void>;

  /** Puts a session in the place of the one of that hash, where there is one: a session never outlives a new proof. */
  openSession(session: SessionRecord, instead_of: Uint8Array | null): Promise<void>;
  sessions(tenant: string, person_id: string): Promise<SessionView[]>;
  endSessionById(tenant: string, person_id: string, id: string): Promise<boolean>;
  /** Ends every session of the person, but the one of that id; how many. */
  endSessionsOf(tenant: string, person_id: string, but: string | null): Promise<number>;
  /** Ends what the provider logged out: by its session, else all of the subject; how many. */
  endSessionsAt(tenant: string, issuer: string, of: { sid: string } | { subject: string }): Promise<number>;
  /** Whether this logout token comes for the first time. */
  firstUseOfLogoutToken(tenant: string, issuer: string, jti: string, expires_at: string): Promise<boolean>;
  touchSession(hash: Uint8Array, at: string): Promise<void>;

  insertToken(token: PersonalTokenRecord, leaf: LeafRecord): Promise<void>;
  /** Those of a person, or of everybody, the newest first. */
  tokens(tenant: string, person_id: string | null): Promise<TokenView[]>;
  /** False where there is no such token, or it was revoked before. */
  revokeToken(tenant: string, id: string, person_id: string | null, leaf: LeafRecord): Promise<boolean>;
  touchToken(hash: Uint8Array, at: string): Promise<void>;
}

/** How the chat end of a link is proved. */
export type ChatProof = 'slack_oidc' | 'teams_oidc' | 'code';

/** A chat account on its way to a person. */
export interface ChatLinkAttempt extends ChatAccount {
  hash: Uint8Array;
  tenant: string;
  label: string | null;
  created_at: string;
  expires_at: string;
  person_id: string | null;
  session_id: string | null;
  code_wanted: boolean;
  code_hash: Uint8Array | null;
  code_tries: number;
  proof: ChatProof | null;
}

/** A linked account with when that was, and the person as they are now. */
export interface LinkedAccount extends AccountLink {
  id: string;
  linked_at: string;
  /** When this account, or another of the person on the platform, was last cut off; null where never. */
  cut_at: string | null;
}

/** Chat accounts and their persons. */
export interface ChatLinkStore {
  /** The account's link and person as they are now. */
  account(account: ChatAccount & { tenant: string }): Promise<{ link: LinkedAccount; person: Person } | null>;
  /** Those of a person, or of everybody. */
  links(tenant: string, person_id: string | null): Promise<LinkedAccount[]>;
  link(tenant: string, id: string): Promise<LinkedAccount | null>;
  /** A new attempt; earlier ones of the account are void. */
  startLink(attempt: Pick<ChatLinkAttempt, 'hash' | 'tenant' | 'platform' | 'workspace' | 'user' | 'label' | 'expires_at'>): Promise<void>;
  /** The attempt for the session that opens it first, and for no other; null when unknown, spent, over, or another's. */
  openLink(hash: Uint8Array, by: { tenant: string; person_id: string; session_id: string }): Promise<ChatLinkAttempt | null>;
  proveLink(hash: Uint8Array, by: { session_id: string }, proof: ChatProof): Promise<boolean>;
  /** Asks the bot for a code. Each further one counts as a try, so that nobody is flooded with codes; false once there were `most`. */
  wantCode(hash: Uint8Array, by: { session_id: string }, most: number): Promise<boolean>;
  /** One attempt that waits for its code, taken by storing the code's hash; null when there is none. */
  takeCodeTask(tenant: string, platform: ChatAccount['platform'], code_hash: Uint8Array): Promise<(ChatLinkAttempt & { person: Person }) | null>;
  /** The code could not be sent: it waits again. */
  returnCodeTask(hash: Uint8Array): Promise<void>;
  /** Counts a try, and says whether it was right; at most `most` tries. */
  tryCode(hash: Uint8Array, by: { session_id: string }, code_hash: Uint8Array, most: number): Promise<'right' | 'wrong' | 'over'>;
  /**
   * Spends the proved attempt and links, with the leaf, in one statement. `taken`: the account has a person, `second`: the person has an
   * account there, `over`: the attempt is spent, over, not proved or another's.
   */
  finishLink(hash: Uint8Array, by: { session_id: string; person_id: string }, leaf: LeafRecord): Promise<'linked' | 'taken' | 'second' | 'over'>;
  /** Links by an address that the operator vouches for, or by an administrator; `taken` and `second` as in finishLink. */
  linkAccount(
    link: ChatAccount & { tenant: string; person_id: string; how: 'email' | 'administrator' },
    leaf: LeafRecord,
  ): Promise<'linked' | 'taken' | 'second'>;
  /** Cuts a link that is not the directory's, with the leaf. */
  cutLink(tenant: string, id: string, leaf: LeafRecord): Promise<boolean>;
}
