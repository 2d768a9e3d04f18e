import { pendingSlackInstallLinkSchema, slackInstallationListSchema, slackInstallLinkSchema } from '@countersign/contracts';
import { insertSlackLink, newSlackLink, type SlackInstallDeps, slackInstallationView, slackLinkPayload, slackUninstall } from '@countersign/core/flow';
import type { IntakeDeps } from '../deps.js';
import { gated } from '../http/gated.js';
import { type Route, route } from '../http/route.js';
import { notFound, trouble, type Trouble } from '../problems.js';
import { administers, seesOperations } from '../visibility.js';

const PEOPLE_ONLY = { problem: 'forbidden', detail: 'Whose accounts count is said by administrators, not by API keys.' } as const;

/** Where the Slack app is installed by OAuth. The installation itself goes by the bot's own pages, /slack/install. */
export function slackRoutes(deps: IntakeDeps): Route[] {
  const world: SlackInstallDeps = { ...deps.flow, slackInstalls: deps.slackInstalls };
  return [
    route({
      method: 'post',
      path: '/v1/slack/install-links',
      name: 'createSlackInstallLink',
      tag: 'Control',
      summary: 'A link that installs the Slack app in one more workspace or Grid, once, within ten minutes. Its people may be linked, and then press',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      answers: {
        201: { description: 'Made', schema: slackInstallLinkSchema },
        202: { description: 'It works once a second person has approved it', schema: pendingSlackInstallLinkSchema, headers: { Location: 'The change' } },
      },
      problems: ['forbidden', 'frozen'],
      async handle({ reader }) {
        if (!administers(reader)) return notForYou();
        const { secret, link } = newSlackLink(deps.flow, reader.tenant, reader.person.id);
        // In the fragment, which no log and no scanner of links sees.
        const url = `${deps.flow.publicUrl}/slack/install#${secret}`;
        return gated(
          deps,
          reader,
          { kind: 'slack.install_link', resource: 'slack', payload: slackLinkPayload(link), summary: {} },
          async () => {
            await insertSlackLink(world, link);
            return { status: 201, json: { url, expires_at: link.expires_at } };
          },
          { url },
        );
      },
    }),

    route({
      method: 'get',
      path: '/v1/slack/installations',
      name: 'listSlackInstallations',
      tag: 'Control',
      summary: 'The workspaces and Grids in which the Slack app was installed by OAuth, without their tokens',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      answers: { 200: { description: 'By their ids', schema: slackInstallationListSchema } },
      problems: ['forbidden'],
      async handle({ reader }) {
        if (!seesOperations(reader.person)) return notForYou();
        return { status: 200, json: { data: (await deps.slackInstalls.list(reader.tenant)).map(slackInstallationView), next_cursor: null } };
      },
    }),

    route({
      method: 'delete',
      path: '/v1/slack/installations/:id',
      name: 'forgetSlackInstallation',
      tag: 'Control',
      summary: 'Forget the token of an installation: no card is posted there and no press from there counts. Uninstalling the app in Slack ends it, too',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      parameters: { id: 'T… of a workspace, E… of a Grid' },
      answers: { 204: { description: 'Forgotten' } },
      problems: ['forbidden'],
      async handle({ reader, params: { id = '' } }) {
        if (!administers(reader)) return notForYou();
        return (await slackUninstall(world, reader.tenant, id, reader.person.id)) ? { status: 204 } : notFound();
      },
    }),
  ];
}

const notForYou = (): Trouble => trouble('forbidden', 'Where Slack is installed is said by administrators, with a credential that administers.');
