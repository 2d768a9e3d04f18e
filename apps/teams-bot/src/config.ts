import type { LinkMode } from '@countersign/chat';

/** How the bot reaches Teams; the service reads it from the environment. */
export interface TeamsBotConfig {
  /** TEAMS_AUTH. Off: any process of this machine may speak for Teams; for the local playground. */
  auth: 'on' | 'off';
  /** MicrosoftAppType. */
  appType: 'MultiTenant' | 'SingleTenant' | 'UserAssignedMSI';
  /** MicrosoftAppId. */
  appId?: string | undefined;
  /** MicrosoftAppPassword. */
  appPassword?: string | undefined;
  /** MicrosoftAppTenantId: the tenants whose people may decide. Empty: none, or with authentication off, any. */
  tenantIds: readonly string[];
  /** TEAMS_OPENID_METADATA_URL; absent: the public cloud's. */
  openIdMetadataUrl?: string | undefined;
  linkMode: LinkMode;
  /** Every conversation in which the bot was addressed gets every card: for a quickstart without authentication alone. */
  openPlaces: boolean;
  /** COUNTERSIGN_READ_ABSENCE: people's presence is read, as a hint to others. Absent: it is not. */
  readAbsence?: boolean;
  /** TEAMS_GRAPH_URL; absent: the public cloud's. */
  graphUrl?: string | undefined;
}
