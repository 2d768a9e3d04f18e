import type { Card, JsonValue, RotatedKey } from '@countersign/contracts';
import type { ConfigChangeDeps, EndpointDeps, FlowDeps, FourEyes } from '@countersign/core/flow';
import type {
  CallerStore,
  ChatLinkStore,
  ChatPlaceStore,
  ConfigChangeStore,
  CredentialStore,
  DelegationStore,
  DeliveryStore,
  DirectoryStore,
  EndpointStore,
  FreezeStore,
  IdentityStore,
  LedgerStore,
  MailStore,
  NoticeStore,
  PasskeyStore,
  PatternStore,
  PolicyStore,
  ReviewStore,
  ScimStore,
  SigningPurpose,
  SlackInstallStore,
} from '@countersign/core/ports';
import type { OidcProvider, WorkloadVerifier } from '@countersign/identity';
import type { Logger } from '@countersign/service';
import type { RateLimit } from './http/rate-limit.js';
import type { Waiters } from './waiters.js';

/** What the API needs of the world; the composition root puts it together. */
export interface IntakeDeps {
  /** `flow.requests` should be `watchedStore(store, waiters)`, here and wherever else in the process flows run. */
  flow: FlowDeps;
  waiters: Waiters;
  directory: DirectoryStore;
  credentials: CredentialStore;
  callers: CallerStore;
  /** Verifies platforms' tokens; absent: none are trusted. */
  workloads?: WorkloadVerifier;
  /** Address blocks of proxies whose X-Forwarded-For is believed; absent: none. */
  trustedProxies?: readonly string[];
  /** How much each API key may ask; absent: as much as it likes. */
  rateLimit?: RateLimit;
  /** The header, in lower case, in which those proxies write the client certificate; absent: none. */
  clientCertHeader?: string;
  identities: IdentityStore;
  chatLinks: ChatLinkStore;
  chatPlaces: ChatPlaceStore;
  slackInstalls: SlackInstallStore;
  /** Absent: people sign in by links alone. */
  signIn?: SignInDeps;
  /** SCIM clients' tokens, and what they read. */
  scim: ScimStore;
  policies: PolicyStore;
  passkeys: PasskeyStore;
  /** The AAGUIDs of the authenticators that count; absent or empty: all. */
  passkeyMakes?: readonly string[];
  deliveries: Pick<DeliveryStore, 'list' | 'search' | 'get' | 'insert' | 'redrive'>;
  endpoints: EndpointStore;
  ledger: Pick<LedgerStore, 'checkpoint' | 'leafHashes' | 'nodeHashes' | 'entries'>;
  control: Control;
  mail: MailLinks;
  followUps: FollowUps;
  /** Every public key that something of ours may be signed with, retired ones included (RFC 7517). */
  jwks: () => Promise<{ keys: object[] }>;
  /** Every public key (32 bytes) that a checkpoint of the ledger may be signed with, retired ones included; the youngest stands last. */
  checkpointKeys: () => Promise<readonly { kid: string; publicKey: Uint8Array; retired_at: string | null }[]>;
  /** Retires the key that signs for a purpose and makes its successor; `by` is a person's id. */
  rotateKey: (purpose: SigningPurpose, who: { tenant: string; by: string }) => Promise<RotatedKey>;
  /** How the chat platforms' own code draws a card, also when no account is connected. */
  previews: Record<'slack' | 'teams', (card: Card) => JsonValue>;
  /** The standing notice of a quickstart; null otherwise. */
  notice: string | null;
  log: Logger;
  /** The origins of our own pages, for requests that a cookie authenticates; HttpService knows them once it listens. */
  origins: () => readonly string[];
  /** 256 KiB unless told. */
  bodyLimitBytes?: number;
  /** How often held requests look by themselves, and streams say that they live. 1.5 s and 15 s unless told. */
  times?: { lookMs: number; pingMs: number };
}

/** How people sign in and link chat accounts. */
export interface SignInDeps {
  tenant: string;
  providers: readonly OidcProvider[];
  /** How long a chat account that was linked waits until it may decide, in seconds; see waitsUntil. */
  linkCooldownSeconds: number;
}

/** What the use cases of endpoints and deliveries take of it. */
export function endpointDeps({ flow, endpoints, deliveries }: IntakeDeps): EndpointDeps {
  return { ...flow, endpoints, deliveries };
}

/** The links in mails. */
export interface MailLinks {
  mails: MailStore;
  /** Whether one of our keys for links signed it. */
  verify(bytes: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

/** What stands beside requests: stand-ins, reviews, and what people are told. */
export interface FollowUps {
  delegations: DelegationStore;
  reviews: ReviewStore;
  notices: Pick<NoticeStore, 'since'>;
}

/** What controls a running installation. */
export interface Control {
  freezes: FreezeStore;
  configChanges: ConfigChangeStore;
  patterns: PatternStore;
  /** When a change of the configuration needs a second person. */
  fourEyes: FourEyes;
  /** Looks at the configured source of policy now; absent where there is none. */
  syncPolicy?: () => Promise<void>;
}

/** What gated changes of the configuration take of it. */
export function configChangeDeps({ flow, control }: Pick<IntakeDeps, 'flow' | 'control'>): ConfigChangeDeps {
  return { ...flow, configChanges: control.configChanges, fourEyes: control.fourEyes };
}
