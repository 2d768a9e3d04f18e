import { openedMailSchema, openMailBodySchema } from '@countersign/contracts';
import { openMailLink } from '@countersign/core/flow';
import type { AuthenticatedPerson } from '@countersign/identity';
import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { trouble, type Trouble } from '../problems.js';
import { visible } from './action-requests.js';

const OVER =
  'This link works once, for the person to whom it was mailed, while the request waits and for seven days at most. It was used, is over, or was sent to somebody else. What waits for you is in your inbox.';

/** The links in mails. The page that a link leads to is a page like any other: who opens it by POST is signed in already, and nothing is decided. */
export function mailLinkRoutes(deps: IntakeDeps): Route[] {
  return [
    route({
      method: 'post',
      path: '/v1/mail-links/open',
      name: 'openMailLink',
      tag: 'Decisions',
      summary: 'Open the link of a mail, once, as the person to whom it was sent. It signs nobody in and decides nothing',
      who: 'person',
      body: openMailBodySchema,
      answers: { 200: { description: 'The request that it leads to', schema: openedMailSchema } },
      problems: ['forbidden', 'mail_link_over'],
      async handle({ reader, body: { token } }) {
        if (reader.session === null) return trouble('forbidden', 'A link from a mail is opened in a browser session, not by a token.');
        const { tenant, person, session } = reader;
        const opened = await openMailLink({ ...deps.flow, ...deps.mail }, token, { tenant, person_id: person.id, session_id: session.id });
        // Whoever was asked when it was sent, and may not see the request any more, learns nothing.
        if (opened.kind === 'over' || (await visible(deps, reader, opened.request_id)) === null) return trouble('mail_link_over', OVER);
        const { request_id: action_request } = opened;
        if (opened.kind === 'opened') return { status: 200, json: { action_request, mail: opened.mail } };
        return trouble(
          'mail_link_over',
          `This link was used before, or the request is settled. The request is at ${deps.flow.publicUrl}/requests/${action_request}`,
        );
      },
    }),
  ];
}

/** Null where the decision names no mail, or the very one whose link this session opened for this request. */
export async function mailTrouble(
  deps: IntakeDeps,
  { session, tenant, person }: AuthenticatedPerson,
  request_id: string,
  mail: string | undefined,
): Promise<Trouble | null> {
  if (mail === undefined) return null;
  const opened = session !== null && (await deps.mail.mails.wasOpened({ tenant, id: mail, person_id: person.id, session_id: session.id, request_id }));
  return opened ? null : trouble('mail_link_over', 'No link of that mail was opened in this session for this request. Decide on the page of the request.');
}
