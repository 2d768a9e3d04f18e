import type { JsonObject, SlackInstallationView } from '@countersign/contracts';
import { sha256 } from '@noble/hashes/sha2.js';
import type { SealContext, SlackInstallation, SlackInstallLink, SlackInstallStore } from '../ports.js';
import { base64url, fromBase64url, hex, utf8 } from '../request/bytes.js';
import { addSeconds } from '../request/instants.js';
import type { Appliers } from './config-change.js';
import type { FlowDeps } from './deps.js';
import { loneLeaf } from './lone-leaf.js';

/**
 * Where the Slack app is installed. Whoever installs it decides whose accounts may be linked and press, so an installation begins at a link
 * that an administrator made, and is a ledger entry, as its end is.
 */
export type SlackInstallDeps = Pick<FlowDeps, 'sealer' | 'clock' | 'entropy'> & { slackInstalls: SlackInstallStore };

/** How long an install link works, in seconds. */
export const SLACK_LINK_SECONDS = 600;

/** A new link's secret, and what is kept of it. */
export function newSlackLink(
  { clock, entropy }: Pick<SlackInstallDeps, 'clock' | 'entropy'>,
  tenant: string,
  by: string,
): { secret: string; link: SlackInstallLink } {
  const secret = base64url(entropy.bytes(32));
  return { secret, link: { tenant, hash: sha256(utf8(secret)), made_by: by, expires_at: addSeconds(clock.now(), SLACK_LINK_SECONDS) } };
}

/** Keeps the link. Where a second person had to approve it, its time begins then. */
export async function insertSlackLink(deps: SlackInstallDeps, link: SlackInstallLink): Promise<void> {
  await deps.slackInstalls.insertLink(link);
}

/** A link as the payload of a change that waits for a second person. */
export function slackLinkPayload({ hash, made_by }: SlackInstallLink): JsonObject {
  return { hash: base64url(hash), made_by };
}

export function slackAppliers(deps: SlackInstallDeps): Appliers {
  return {
    // Payloads are sealed by those who propose, and authenticated with their place: their shape is ours.
    'slack.install_link': async ({ tenant, payload }) => {
      const { hash, made_by } = payload as { hash: string; made_by: string };
      await insertSlackLink(deps, { tenant, hash: fromBase64url(hash), made_by, expires_at: addSeconds(deps.clock.now(), SLACK_LINK_SECONDS) });
      return { kind: 'applied' };
    },
  };
}

/** Where an installation's token is sealed. */
export function slackTokenContext({ tenant, id }: Pick<SlackInstallation, 'tenant' | 'id'>): SealContext {
  return { tenant, table: 'slack_installations', row: id, column: 'sealed_token' };
}

/** Keeps an installation with its token sealed, and its leaf. */
export async function slackInstall(
  deps: SlackInstallDeps,
  installation: Omit<SlackInstallation, 'sealed_token' | 'token_digest' | 'installed_at'>,
  token: string,
): Promise<SlackInstallation> {
  const installed_at = deps.clock.now();
  const token_digest = hex(sha256(utf8(token)));
  const sealed_token = await deps.sealer.seal(slackTokenContext(installation), utf8(token));
  const whole = { ...installation, token_digest, sealed_token, installed_at };
  const { tenant, id, enterprise_install, scopes } = installation;
  const leaf = await loneLeaf(deps, {
    tenant,
    event: 'slack.installed',
    subject: `slack:${id}`,
    at: installed_at,
    facts: { enterprise_install, scopes },
    details: toldOf(whole),
  });
  await deps.slackInstalls.install(whole, leaf);
  return whole;
}

/** What the ledger says of an installation besides its scopes. */
function toldOf({ team_id, enterprise_id, app_id, bot_id, bot_user_id, token_digest, installed_by }: SlackInstallation): JsonObject {
  return { team_id, enterprise_id, app_id, bot_id, bot_user_id, token_digest, installed_by };
}

/** Forgets an installation. `by` is a person's id, or `slack` where it said that the app was removed. False where there was none. */
export async function slackUninstall(deps: SlackInstallDeps, tenant: string, id: string, by: string): Promise<boolean> {
  const at = deps.clock.now();
  const leaf = await loneLeaf(deps, { tenant, event: 'slack.uninstalled', subject: `slack:${id}`, at, facts: {}, details: { by } });
  return deps.slackInstalls.uninstall(tenant, id, leaf);
}

/** As answers show it: everything but the token. */
export function slackInstallationView(of: SlackInstallation): SlackInstallationView {
  const { id, team_id, team_name, enterprise_id, enterprise_name, enterprise_install, bot_user_id, scopes, installed_by, installed_at } = of;
  return {
    id,
    team: team_id === null ? null : { id: team_id, name: team_name },
    enterprise: enterprise_id === null ? null : { id: enterprise_id, name: enterprise_name },
    enterprise_install,
    bot_user_id,
    scopes,
    installed_by,
    installed_at,
  };
}
