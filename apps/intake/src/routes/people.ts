import { cardSchema } from '@countersign/contracts';
import { cardOf } from '@countersign/core/card';
import { asOfNow } from '@countersign/core/flow';
import { endedSessionCookie, endSession, readSessionCookie, sessionCookie, spendSignInLink } from '@countersign/identity';
import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { notFound, trouble } from '../problems.js';
import { meSchema, platformCardSchema, sessionSchema, signInBodySchema } from '../schemas.js';
import { userAgentOf } from './sessions.js';
import { visible } from './action-requests.js';

/** Who I am, signing in and out, and cards as they are shown. */
export function peopleRoutes(deps: IntakeDeps): Route[] {
  const { flow, credentials, directory } = deps;
  const { publicUrl, clock, entropy } = flow;
  return [
    route({
      method: 'get',
      path: '/v1/me',
      name: 'me',
      tag: 'People',
      summary: 'Who your credential says that you are, and what it may do',
      who: 'either',
      answers: { 200: { description: 'A person or an API key', schema: meSchema } },
      async handle({ reader }) {
        if (reader.kind === 'caller') {
          const { key_id, name, owner, rights } = reader.caller;
          return { status: 200, json: { type: 'api_key', tenant: reader.tenant, id: key_id, name, owner, rights } };
        }
        const { person, scopes, may_decide, tenant } = reader;
        const { id, email, name, groups, roles } = person;
        return { status: 200, json: { type: 'person', tenant, person: { id, email, name, groups, roles }, scopes, may_decide } };
      },
    }),

    route({
      method: 'post',
      path: '/v1/sessions',
      name: 'signIn',
      tag: 'People',
      summary: 'Spend a sign-in link and get a session cookie',
      who: 'open',
      signs_in: true,
      body: signInBodySchema,
      answers: {
        201: { description: 'Signed in, for a day at most and twelve hours without use', schema: sessionSchema, headers: { 'Set-Cookie': 'The session' } },
      },
      problems: ['unauthenticated', 'account_inactive'],
      async handle({ body: { token }, header }) {
        const spent = await spendSignInLink({ credentials, directory, clock, entropy, issuer: publicUrl }, token, userAgentOf(header));
        switch (spent.kind) {
          case 'invalid':
            return trouble('unauthenticated', 'This sign-in link was used, is older than 10 minutes, or was never made. Get a new one.');
          case 'inactive':
            return trouble('account_inactive', 'Your account is not active in the directory. Ask an administrator.');
          case 'signed_in': {
            // The session that the browser had ends: nobody goes on in one that somebody else may have put there.
            const before = readSessionCookie(publicUrl, header('cookie'));
            if (before !== null) await endSession({ credentials }, before);
            const { id, email, name } = spent.person;
            return {
              status: 201,
              json: { person: { id, email, name }, expires_at: spent.expires_at },
              headers: { 'Set-Cookie': sessionCookie(publicUrl, spent.value) },
            };
          }
        }
      },
    }),

    route({
      method: 'delete',
      path: '/v1/sessions',
      name: 'signOut',
      tag: 'People',
      summary: 'End the session of the cookie',
      who: 'person',
      answers: { 204: { description: 'Signed out', headers: { 'Set-Cookie': 'Empty' } } },
      async handle({ header }) {
        const value = readSessionCookie(publicUrl, header('cookie'));
        if (value !== null) await endSession({ credentials }, value);
        return { status: 204, headers: { 'Set-Cookie': endedSessionCookie(publicUrl) } };
      },
    }),

    route({
      method: 'get',
      path: '/v1/previews/:platform/:id',
      name: 'previewCard',
      tag: 'Decisions',
      summary: 'The card of a request as the web, Slack or Teams shows it, whether or not an account is connected',
      who: 'either',
      parameters: { platform: 'web, slack or teams', id: 'The id of an action request, ar_…' },
      answers: { 200: { description: 'For `web` a Card, else the JSON of the platform', schema: cardSchema.or(platformCardSchema) } },
      async handle({ reader, params: { platform = '', id = '' } }) {
        if (platform !== 'web' && platform !== 'slack' && platform !== 'teams') return notFound('Previews are of web, slack and teams.');
        const state = await visible(deps, reader, id);
        if (state === null) return notFound();
        const card = cardOf(await asOfNow(deps.flow, state), { publicUrl, notice: deps.notice });
        // A platform's card is an object or a list of blocks: JSON, whatever its shape.
        return { status: 200, json: platform === 'web' ? card : (deps.previews[platform](card) as object) };
      },
    }),
  ];
}
