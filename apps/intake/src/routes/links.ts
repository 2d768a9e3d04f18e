import {
  confirmLinkBodySchema,
  cutIdentityBodySchema,
  identityListSchema,
  linkListSchema,
  linkViewSchema,
  newLinkBodySchema,
  openedLinkSchema,
  openLinkBodySchema,
  proveLinkBodySchema,
  provingLinkSchema,
  pendingChangeSchema,
} from '@countersign/contracts';
import { entriesOf } from '@countersign/core/decision';
import { linkCodeHash, linkTokenHash, loneLeaf, nameAccount, toPayload } from '@countersign/core/flow';
import type { ChatAccount, ChatLinkAttempt, LinkedAccount } from '@countersign/core/ports';
import { addSeconds, isInstant } from '@countersign/core/request';
import { type AuthenticatedPerson, type PersonSession, startSignIn } from '@countersign/identity';
import { z } from 'zod';
import type { IntakeDeps } from '../deps.js';
import { gated } from '../http/gated.js';
import { type Answer, type Route, route } from '../http/route.js';
import { notFound, trouble, type Trouble } from '../problems.js';
import { administers } from '../visibility.js';
import { startedCookie } from './sign-in.js';

/** How often a code may be entered, or asked for anew. */
const MOST_TRIES = 5;

/** Chat accounts and accounts of the identity provider: who they belong to, proving that, and cutting it. */
export function linkRoutes(deps: IntakeDeps): Route[] {
  const { chatLinks, identities, directory, flow } = deps;
  const providers = deps.signIn?.providers ?? [];
  const slack = providers.find(({ config }) => config.use === 'link' && config.preset === 'slack');
  const signsIn = providers.filter(({ config }) => config.use === 'sign_in');
  const over = (): Trouble =>
    trouble('link_not_possible', 'This link is over, was used, or was opened in another session. Press a button in the chat again to get a new one.');

  return [
    route({
      method: 'post',
      path: '/v1/links/open',
      name: 'openLink',
      tag: 'People',
      summary: 'Open the one-time link that a bot gave to a chat account. The first session that opens it has it',
      who: 'person',
      body: openLinkBodySchema,
      answers: { 200: { description: 'What would be linked, and how the chat account is proved', schema: openedLinkSchema } },
      problems: ['forbidden', 'link_not_possible'],
      async handle({ reader, body: { token } }) {
        const by = sessionFor(reader);
        if ('problem' in by) return by;
        const opened = await chatLinks.openLink(linkTokenHash(token), by);
        if (opened === null) return over();
        const proof = opened.proof ?? (await provedByTeams(opened, by));
        const { platform, workspace, user, label, expires_at, code_wanted } = opened;
        const { id, email, name } = reader.person;
        const ways = proof !== null ? [] : platform === 'slack' && slack !== undefined ? (['slack_oidc'] as const) : (['code'] as const);
        return {
          status: 200,
          json: { platform, workspace, user, label, person: { id, email, name }, expires_at, proof, ways: [...ways], code_sent: code_wanted },
        };
      },
    }),

    route({
      method: 'post',
      path: '/v1/links/prove',
      name: 'proveLink',
      tag: 'People',
      summary: 'Prove that the chat account is yours too: by Sign in with Slack, or by a code that the bot sends to it',
      who: 'person',
      body: proveLinkBodySchema,
      answers: { 200: { description: 'Where the browser goes, or that a code is on its way', schema: provingLinkSchema } },
      problems: ['forbidden', 'link_not_possible'],
      async handle({ reader, body: { token, way } }): Promise<Answer> {
        const by = sessionFor(reader);
        if ('problem' in by) return by;
        const hash = linkTokenHash(token);
        const opened = await chatLinks.openLink(hash, by);
        if (opened === null) return over();
        if (way === 'code') {
          // Where the stronger proof can be had, the weaker one is none.
          if (opened.platform === 'slack' && slack !== undefined) return trouble('link_not_possible', 'Here this account is proved by Sign in with Slack.');
          if (!(await chatLinks.wantCode(hash, by, MOST_TRIES))) return over();
          flow.announcer.announce('cards');
          return { status: 200, json: { url: null } };
        }
        if (slack === undefined || opened.platform !== 'slack') return trouble('link_not_possible', 'Sign in with Slack is not set up here.');
        const started = await startSignIn(flowWorld(deps), slack, { tenant: reader.tenant, return_to: '/link', max_age: null, acr: null, link_hash: hash });
        return { status: 200, json: { url: started.url.href }, headers: { 'Set-Cookie': startedCookie(flow.publicUrl, started) } };
      },
    }),

    route({
      method: 'post',
      path: '/v1/links/confirm',
      name: 'confirmLink',
      tag: 'People',
      summary: 'Link the chat account to yourself, once both ends are proved',
      who: 'person',
      body: confirmLinkBodySchema,
      answers: { 201: { description: 'Linked', schema: linkViewSchema } },
      problems: ['forbidden', 'link_not_possible', 'code_wrong'],
      async handle({ reader, body: { token, code } }) {
        const by = sessionFor(reader);
        if ('problem' in by) return by;
        const hash = linkTokenHash(token);
        const opened = await chatLinks.openLink(hash, by);
        if (opened === null) return over();
        let { proof } = opened;
        if (proof === null && code !== undefined) {
          const tried = await chatLinks.tryCode(hash, by, linkCodeHash(code), MOST_TRIES);
          if (tried === 'wrong') return trouble('code_wrong', 'This is not the code that was sent to the chat account.');
          if (tried === 'over') return trouble('code_wrong', 'No code was sent yet, or it was entered wrongly too often. Begin again in the chat.');
          proof = 'code';
        }
        if (proof === null) return trouble('link_not_possible', 'The chat account is not proved yet.');
        const leaf = await loneLeaf(flow, {
          tenant: by.tenant,
          event: 'account.linked',
          subject: by.person_id,
          at: flow.clock.now(),
          facts: { kind: 'chat', platform: opened.platform, how: 'proof', proof },
          details: { person: by.person_id, workspace: opened.workspace, user: opened.user },
        });
        const done = await chatLinks.finishLink(hash, by, leaf);
        return done === 'linked' ? linked(by.tenant, opened) : done === 'over' ? over() : obstacle(done);
      },
    }),

    route({
      method: 'get',
      path: '/v1/links',
      name: 'listLinks',
      tag: 'People',
      summary: 'Your chat accounts, or as an administrator those of a person or of everybody (person=*)',
      who: 'person',
      query: z.strictObject({ person: z.string().max(64).optional() }),
      answers: { 200: { description: 'Links', schema: linkListSchema } },
      problems: ['forbidden'],
      async handle({ reader, query: { person = reader.person.id } }) {
        if (person !== reader.person.id && !administers(reader)) return trouble('forbidden', "Only administrators see other people's accounts.");
        const links = await chatLinks.links(reader.tenant, person === '*' ? null : person);
        return { status: 200, json: { data: links.map(viewOf), next_cursor: null } };
      },
    }),

    route({
      method: 'post',
      path: '/v1/links',
      name: 'createLink',
      tag: 'People',
      summary: 'As an administrator, name a chat account of somebody else: a second one, or one that cannot be proved',
      who: 'person',
      changes: true,
      body: newLinkBodySchema,
      answers: {
        201: { description: 'Linked', schema: linkViewSchema },
        202: { description: 'A second person has to approve it first', schema: pendingChangeSchema },
      },
      problems: ['forbidden', 'not_found', 'link_not_possible', 'frozen'],
      async handle({ reader, body: { person: personId, ...account } }) {
        if (!administers(reader)) return trouble('forbidden', 'Only administrators name accounts of others.');
        if (entriesOf(reader.person).includes(personId))
          return trouble('forbidden', 'Nobody names an account of their own. Prove it, or let another administrator name it.');
        const person = await directory.person(reader.tenant, personId);
        if (person === null || !person.active) return notFound('The directory has no such active person.');
        const named = { person_id: personId, ...account };
        const now = async (): Promise<Answer> => {
          const done = await nameAccount({ ...flow, chatLinks }, reader.tenant, reader.person.id, named);
          return done === 'linked' ? linked(reader.tenant, account) : obstacle(done);
        };
        return gated(deps, reader, { kind: 'account.link', resource: personId, payload: toPayload(named), summary: { person: person.email, ...account } }, now);
      },
    }),

    route({
      method: 'delete',
      path: '/v1/links/:id',
      name: 'cutLink',
      tag: 'People',
      summary: 'Cut one of your chat accounts off, or as an administrator anybody’s',
      who: 'person',
      changes: true,
      parameters: { id: 'The id of the link' },
      answers: { 204: { description: 'It decides nothing any more' } },
      problems: ['link_not_possible'],
      async handle({ reader, params: { id = '' } }) {
        const link = await chatLinks.link(reader.tenant, id);
        if (link === null || (link.person_id !== reader.person.id && !administers(reader))) return notFound('You have no such account.');
        if (link.how === 'directory') return trouble('link_not_possible', 'This account is named by the directory. Change it there.');
        const leaf = await loneLeaf(flow, {
          tenant: reader.tenant,
          event: 'account.unlinked',
          subject: link.person_id,
          at: flow.clock.now(),
          facts: { kind: 'chat', platform: link.platform, how: link.how },
          details: { person: link.person_id, workspace: link.workspace, user: link.user, by: reader.person.id },
        });
        return (await chatLinks.cutLink(reader.tenant, id, leaf)) ? { status: 204 } : notFound('You have no such account.');
      },
    }),

    route({
      method: 'get',
      path: '/v1/identities',
      name: 'listIdentities',
      tag: 'People',
      summary: 'Your accounts at the identity provider, or as an administrator those of a person or of everybody (person=*)',
      who: 'person',
      query: z.strictObject({ person: z.string().max(64).optional() }),
      answers: { 200: { description: 'Identities', schema: identityListSchema } },
      problems: ['forbidden'],
      async handle({ reader, query: { person = reader.person.id } }) {
        if (person !== reader.person.id && !administers(reader)) return trouble('forbidden', "Only administrators see other people's accounts.");
        const found = await identities.identitiesOf(reader.tenant, person === '*' ? null : person);
        const data = found.map(({ issuer, subject, person_id, how, linked_at, last_used_at }) => ({
          issuer,
          subject,
          person: person_id,
          how,
          linked_at,
          last_used_at,
        }));
        return { status: 200, json: { data, next_cursor: null } };
      },
    }),

    route({
      method: 'post',
      path: '/v1/identities/cut',
      name: 'cutIdentity',
      tag: 'People',
      summary: 'As an administrator, cut an account of the identity provider off: it does not come back by its address',
      who: 'person',
      changes: true,
      body: cutIdentityBodySchema,
      answers: { 204: { description: 'It signs nobody in, and its sessions are over' } },
      problems: ['forbidden', 'not_found'],
      async handle({ reader, body: { issuer, subject } }) {
        if (!administers(reader)) return trouble('forbidden', 'Only administrators cut accounts of the identity provider off.');
        const identity = await identities.identity(reader.tenant, issuer, subject);
        if (identity === null) return notFound('There is no such account.');
        const leaf = await loneLeaf(flow, {
          tenant: reader.tenant,
          event: 'account.unlinked',
          subject: identity.person_id,
          at: flow.clock.now(),
          facts: { kind: 'identity', how: identity.how },
          details: { person: identity.person_id, issuer, subject, by: reader.person.id },
        });
        return (await identities.cutIdentity(reader.tenant, issuer, subject, leaf))
          ? { status: 204 }
          : notFound('There is no such account, or the directory names it.');
      },
    }),
  ];

  /** Linking takes a session: by the identity provider where there is one, else by a sign-in link, which is all there is. */
  function sessionFor({ session, tenant, person }: AuthenticatedPerson): LinkSession | Trouble {
    if (session === null) return trouble('forbidden', 'Accounts are linked in a browser session, not by a token.');
    if (signsIn.length > 0 && session.method !== 'oidc') return trouble('forbidden', 'Sign in by the identity provider to link an account.');
    return { tenant, person_id: person.id, session_id: session.id, session };
  }

  /** The Teams account is the very object of the tenant that the person signed in as: nothing more is to be proved. */
  async function provedByTeams(opened: ChatLinkAttempt, by: LinkSession): Promise<'teams_oidc' | null> {
    const entra = signsIn.find(({ config }) => config.preset === 'entra' && config.issuer === by.session.issuer);
    if (opened.platform !== 'teams' || entra === undefined) return null;
    const identity = await identities.identity(by.tenant, entra.config.issuer, `${opened.workspace.toLowerCase()}/${opened.user.toLowerCase()}`);
    if (identity === null || identity.cut_at !== null || identity.person_id !== by.person_id) return null;
    return (await chatLinks.proveLink(opened.hash, by, 'teams_oidc')) ? 'teams_oidc' : null;
  }

  async function linked(tenant: string, { platform, workspace, user }: ChatAccount): Promise<Answer> {
    const found = await chatLinks.account({ tenant, platform, workspace, user });
    return found === null ? over() : { status: 201, json: viewOf(found.link) };
  }

  function viewOf(link: LinkedAccount) {
    const { id, platform, workspace, user, person_id, how, linked_at } = link;
    return { id, platform, workspace, user, person: person_id, how, linked_at, waits_until: waitsUntil(link, deps) };
  }
}

interface LinkSession {
  tenant: string;
  person_id: string;
  session_id: string;
  session: PersonSession;
}

function waitsUntil(link: LinkedAccount, { signIn, flow }: IntakeDeps): string | null {
  const cooldown = signIn?.linkCooldownSeconds ?? 0;
  if (cooldown === 0 || link.how === 'directory' || link.how === 'administrator' || !isInstant(link.linked_at)) return null;
  const until = addSeconds(link.linked_at, cooldown);
  return until > flow.clock.now() ? until : null;
}

const obstacle = (done: 'taken' | 'second'): Trouble =>
  trouble(
    'link_not_possible',
    done === 'taken'
      ? 'This chat account belongs to somebody already. Cut that link first, or ask an administrator.'
      : 'You have another account there already. A second one is linked by an administrator.',
  );

const flowWorld = ({ flow, identities }: IntakeDeps) => ({ identities, clock: flow.clock, entropy: flow.entropy });
