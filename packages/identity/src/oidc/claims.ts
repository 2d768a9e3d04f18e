import type { OidcProviderConfig } from './provider.js';

/** What a verified ID token says of a person, in our words. */
export interface Identified {
  issuer: string;
  /** What the provider never gives to somebody else: see stableSubject. */
  subject: string;
  /** The bare `sub`, by which the provider ends sessions. */
  sub: string;
  /** An address that the provider says it has verified; null otherwise. For first links and for display, never who somebody is. */
  email: string | null;
  name: string | null;
  /** The provider's groups; null where it did not say all of them, which is not the same as none. */
  groups: string[] | null;
  sid: string | null;
  /** Seconds since 1970; null where the provider did not say. */
  auth_time: number | null;
  acr: string | null;
  amr: string[];
  /** The accounts elsewhere that the same token proves. */
  accounts: { teams: { tenant: string; user: string } | null; slack: { workspaces: string[]; user: string } | null };
}

/** Why a token of a good signature signs nobody in. */
export type ClaimsRefusal = 'wrong_tenant' | 'guest' | 'email_unverified' | 'no_subject';

export type Claims = Readonly<Record<string, unknown>>;

/**
 * Reads the claims by the provider's own rules: the stable subject, the pinned tenant, and whether the address counts.
 *
 * An address that the provider says is not verified refuses, whatever the subject: such an account is somebody's who has not shown
 * that the mailbox is theirs.
 */
export function identify(config: Pick<OidcProviderConfig, 'issuer' | 'preset' | 'pins' | 'groupsClaim'>, claims: Claims): Identified | ClaimsRefusal {
  const sub = text(claims['sub']);
  const subject = stableSubject(config.preset, claims);
  if (sub === null || subject === null) return 'no_subject';
  for (const [name, values] of Object.entries(config.pins)) {
    // A pin that is absent does not hold: a personal Google account with the company's address has no `hd`.
    if (!claimValues(claims[name]).some((value) => values.includes(value))) return 'wrong_tenant';
  }
  if (config.preset === 'entra' && isEntraGuest(claims)) return 'guest';
  if (claims['email_verified'] === false || claims['email_verified'] === 'false') return 'email_unverified';
  return {
    issuer: config.issuer,
    subject,
    sub,
    email: verifiedEmail(config.preset, claims),
    name: text(claims['name']),
    groups: groupsOf(config.groupsClaim, claims),
    sid: text(claims['sid']),
    auth_time: typeof claims['auth_time'] === 'number' && Number.isFinite(claims['auth_time']) ? claims['auth_time'] : null,
    acr: text(claims['acr']),
    amr: claimValues(claims['amr']),
    accounts: { teams: config.preset === 'entra' ? entraAccount(claims) : null, slack: slackAccount(config.preset, claims) },
  };
}

/**
 * Entra: tenant and object id (`sub` is another one for each app, and would not be the Teams account's). Okta: `uid` where an authorization
 * server of one's own says it, since its `sub` may be a login that is given on; else `sub`, which is the user's id. Slack: team and user. Others: `sub`.
 */
function stableSubject(preset: OidcProviderConfig['preset'], claims: Claims): string | null {
  switch (preset) {
    case 'entra': {
      const account = entraAccount(claims);
      return account === null ? null : `${account.tenant}/${account.user}`;
    }
    case 'okta':
      return text(claims['uid']) ?? text(claims['sub']);
    case 'slack': {
      const [team, user] = [text(claims[SLACK_TEAM]), text(claims[SLACK_USER])];
      return team === null || user === null ? null : `${team}/${user}`;
    }
    case 'google':
    case 'generic':
      return text(claims['sub']);
  }
}

const SLACK_TEAM = 'https://slack.com/team_id';
const SLACK_USER = 'https://slack.com/user_id';
const SLACK_ENTERPRISE = 'https://slack.com/enterprise_id';

function entraAccount(claims: Claims): { tenant: string; user: string } | null {
  const [tenant, user] = [text(claims['tid']), text(claims['oid'])];
  return tenant === null || user === null ? null : { tenant: tenant.toLowerCase(), user: user.toLowerCase() };
}

function slackAccount(preset: OidcProviderConfig['preset'], claims: Claims): Identified['accounts']['slack'] {
  const [team, user, enterprise] = [text(claims[SLACK_TEAM]), text(claims[SLACK_USER]), text(claims[SLACK_ENTERPRISE])];
  if (preset !== 'slack' || team === null || user === null) return null;
  return { workspaces: [team, ...(enterprise === null ? [] : [enterprise])], user };
}

/** A guest's account lives elsewhere: `acct` says 1, or `idp` names the place. */
function isEntraGuest(claims: Claims): boolean {
  if (claims['acct'] === 1 || claims['acct'] === '1') return true;
  const [idp, tid] = [text(claims['idp']), text(claims['tid'])];
  return idp !== null && tid !== null && !idp.toLowerCase().includes(tid.toLowerCase());
}

/**
 * Entra has no `email_verified`: its `email` is whatever a user's record says, and only `xms_edov` vouches for it. Others must say
 * `email_verified: true`. An address with anything but plain ASCII is nobody's: too many letters look like others.
 */
function verifiedEmail(preset: OidcProviderConfig['preset'], claims: Claims): string | null {
  const email = text(claims['email']);
  const vouched = preset === 'entra' ? claims['xms_edov'] : claims['email_verified'];
  if (email === null || !(vouched === true || vouched === 'true' || (preset === 'entra' && (vouched === 1 || vouched === '1')))) return null;
  return /^[\x21-\x7e]{1,64}@[A-Za-z0-9.-]{1,255}$/.test(email) && email.indexOf('@') === email.lastIndexOf('@') ? email.toLowerCase() : null;
}

/**
 * Null: unknown. Entra leaves the groups out where there are more than 200 and says where to ask (`_claim_names`, `hasgroups`); a provider
 * without the claim says nothing either. Unknown changes nothing; only a list counts.
 */
function groupsOf(name: string | null, claims: Claims): string[] | null {
  if (name === null || claims['hasgroups'] !== undefined) return null;
  const elsewhere = claims['_claim_names'];
  if (typeof elsewhere === 'object' && elsewhere !== null && name in elsewhere) return null;
  const groups = claims[name];
  return Array.isArray(groups) && groups.every((group) => typeof group === 'string') ? groups : null;
}

function claimValues(claim: unknown): string[] {
  return (Array.isArray(claim) ? claim : [claim]).filter((value): value is string => typeof value === 'string');
}

function text(claim: unknown): string | null {
  return typeof claim === 'string' && claim !== '' && claim.length <= 1024 && !claim.includes('\0') ? claim : null;
}
