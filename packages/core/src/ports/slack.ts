/** Where the Slack app was installed by OAuth, and the links that lead there. */
import type { LeafRecord } from './records.js';

export interface SlackInstallation {
  tenant: string;
  /** The workspace's id, or the Enterprise Grid's where the whole of it was chosen. */
  id: string;
  team_id: string | null;
  team_name: string | null;
  enterprise_id: string | null;
  enterprise_name: string | null;
  enterprise_install: boolean;
  app_id: string;
  bot_id: string;
  bot_user_id: string;
  scopes: string[];
  /** The bot's token, sealed at { table: 'slack_installations', row: id, column: 'sealed_token' }. */
  sealed_token: Uint8Array;
  /** Of the token: SHA-256 in hex. What the ledger's private part says, too, so that a token put in its place is noticed. */
  token_digest: string;
  /** A person's id. */
  installed_by: string;
  installed_at: string;
}

export interface SlackInstallLink {
  tenant: string;
  /** SHA-256 of the link's token. */
  hash: Uint8Array;
  /** A person's id. */
  made_by: string;
  expires_at: string;
}

/** `starting`: the link, as it was opened. A browser that opens it again begins again. */
export interface SlackInstallStore {
  /** By their ids. */
  list(tenant: string): Promise<SlackInstallation[]>;
  /** Keeps an installation; one of the same id gives way, for Slack ended its token or gave the same. */
  install(installation: SlackInstallation, leaf: LeafRecord): Promise<void>;
  /** False where there is none. */
  uninstall(tenant: string, id: string, leaf: LeafRecord): Promise<boolean>;
  insertLink(link: SlackInstallLink): Promise<void>;
  /** Binds a live link to the state that goes to Slack and comes back; the last one counts. False where the link is over. */
  startLink(tenant: string, hash: Uint8Array, stateHash: Uint8Array): Promise<boolean>;
  /** Spends the link of a state, once, while it lives; null where there is none. */
  spendLink(tenant: string, stateHash: Uint8Array): Promise<{ made_by: string } | null>;
}
