import { z } from 'zod';
import { pendingChangeSchema } from './config-change.js';
import { instantSchema } from './primitives.js';

const namedSchema = z.strictObject({ id: z.string(), name: z.string().nullable() });

/** A Slack workspace, or a whole Enterprise Grid, in which the app was installed by OAuth. */
export const slackInstallationSchema = z
  .strictObject({
    /** The workspace's id, T…, or the Grid's, E…, where the whole of it was chosen. */
    id: z.string(),
    team: namedSchema.nullable(),
    enterprise: namedSchema.nullable(),
    enterprise_install: z.boolean(),
    bot_user_id: z.string(),
    scopes: z.array(z.string()),
    /** The administrator who made the link: a person's id. */
    installed_by: z.string(),
    installed_at: instantSchema,
  })
  .meta({ id: 'SlackInstallation' });
export type SlackInstallationView = z.infer<typeof slackInstallationSchema>;

export const slackInstallationListSchema = z
  .strictObject({ data: z.array(slackInstallationSchema), next_cursor: z.null() })
  .meta({ id: 'SlackInstallationList' });

/** A link that installs the app once. Whoever opens it chooses the workspace, so it is for the administrator who made it alone. */
export const slackInstallLinkSchema = z.strictObject({ url: z.string(), expires_at: instantSchema }).meta({ id: 'SlackInstallLink' });
/** The link is shown at once, and works from when the change is approved. */
export const pendingSlackInstallLinkSchema = pendingChangeSchema.extend({ url: z.string() }).meta({ id: 'PendingSlackInstallLink' });
