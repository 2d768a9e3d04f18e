import type { ChatLog } from '@countersign/chat';
import { slackUninstall, type SlackInstallDeps } from '@countersign/core/flow';
import type { App } from '@slack/bolt';
import type { Installations, PayloadSource, Seat } from './installations.js';
import { slackError } from './faults.js';

/** A payload that Slack signed and that is none of ours: another app's, or of a workspace where the app is not installed. Answered with 401. */
export class ForeignPayload extends Error {
  override readonly name = 'ForeignPayload';
  readonly code = 'foreign_payload';
}

/**
 * Says of each payload which installation it belongs to, before anybody listens to it; nothing here waits for the network or the database. What
 * is not known yet is asked when the account is looked at, before anything is decided.
 */
export function admit(app: App, installations: Installations): void {
  app.use(async ({ body, context, next }) => {
    const source: PayloadSource = {
      teamId: context.teamId ?? null,
      enterpriseId: context.enterpriseId ?? null,
      appId: 'api_app_id' in body && typeof body.api_app_id === 'string' ? body.api_app_id : null,
    };
    if (installations.isForeign(source))
      throw new ForeignPayload(`The app is not installed in ${source.teamId ?? source.enterpriseId ?? 'any such workspace'}`);
    const ours = installations.listed(source)?.workspace.knownAppId() ?? null;
    if (ours !== null && source.appId !== null && source.appId !== ours) throw new ForeignPayload(`The payload is for the app ${source.appId}`);
    await installations.within(source, next);
  });
}

/** Slack's word that a channel changed, an account, or the app's own rights. */
export function listenToSlack(
  app: App,
  installations: Installations,
  { tenant, install, log }: { tenant: string; install: SlackInstallDeps; log: ChatLog },
): void {
  for (const event of [
    'channel_archive',
    'channel_unarchive',
    'channel_deleted',
    'channel_left',
    'channel_shared',
    'group_archive',
    'group_unarchive',
    'group_deleted',
    'group_left',
  ] as const)
    app.event(event, async ({ event: { channel } }) => {
      for (const { workspace } of installations.all()) workspace.forgetChannel(channel);
      log.info({ channel, event }, 'a channel changed; it is looked at again before the next card');
      return Promise.resolve();
    });
  for (const event of ['channel_rename', 'group_rename'] as const)
    app.event(event, async ({ event: { channel } }) => {
      for (const { workspace } of installations.all()) workspace.forgetChannel(channel.id);
      return Promise.resolve();
    });
  for (const event of ['app_uninstalled', 'tokens_revoked'] as const)
    app.event(event, async () => {
      const source = installations.source();
      if (source === undefined) return;
      const seat = await installations.of(source);
      if (await stillWorks(seat)) return;
      const { id } = seat;
      if (id === null) log.error({ event }, 'the app was removed from the workspace of SLACK_BOT_TOKEN; install it again, and set its new token');
      else if (await slackUninstall(install, tenant, id, 'slack')) {
        log.warn({ event, installation: id }, 'the app was removed from a workspace; its token is forgotten');
        await installations.refresh();
      }
    });
}

/** An event may be old, repeated, or about one workspace of a Grid: whether the token is over is for Slack to say. */
async function stillWorks(seat: Seat): Promise<boolean> {
  try {
    await seat.calls('answer')((client) => client.auth.test());
    return true;
  } catch (error) {
    if (['token_revoked', 'account_inactive', 'invalid_auth', 'token_expired', 'not_authed'].includes(slackError(error) ?? '')) return false;
    throw error;
  }
}
