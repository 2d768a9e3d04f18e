import { z } from 'zod';
import { personViewSchema } from './decision.js';
import { idSchema, instantSchema } from './primitives.js';

/** What people see and change of their own: how they sign in, sessions, tokens, chat accounts. */

/** Why a sign-in signed nobody in: the name stands in the address that the browser is led back to, and the console has the words. */
export const signInRefusalCodes = [
  'state_unknown',
  'provider_refused',
  'not_proved',
  'not_fresh',
  'other_person',
  'provider_unavailable',
  'wrong_tenant',
  'guest',
  'email_unverified',
  'no_subject',
  'nobody',
  'inactive',
  'ambiguous',
  'identity_conflict',
  'identity_cut',
  'not_signed_in',
  'another_account',
  'link_over',
] as const;
export type SignInRefusalCode = (typeof signInRefusalCodes)[number];

/** `GET /v1/sign-in`. */
export const signInOptionsSchema = z
  .strictObject({ providers: z.array(z.strictObject({ id: z.string(), issuer: z.string(), start: z.string() })) })
  .meta({ id: 'SignInOptions' });
export type SignInOptions = z.infer<typeof signInOptionsSchema>;

export const sessionViewSchema = z
  .strictObject({
    id: idSchema('ses'),
    /** The one that asks. */
    current: z.boolean(),
    issuer: z.string(),
    method: z.string(),
    /** When the person last proved who they are; null where the identity provider did not say. */
    auth_time: instantSchema.nullable(),
    acr: z.string().nullable(),
    user_agent: z.string().nullable(),
    created_at: instantSchema,
    last_used_at: instantSchema,
    expires_at: instantSchema,
  })
  .meta({ id: 'PersonSession' });
export type SessionAnswer = z.infer<typeof sessionViewSchema>;
export const sessionListSchema = z.strictObject({ data: z.array(sessionViewSchema), next_cursor: z.null() }).meta({ id: 'PersonSessions' });

/** `POST /v1/sessions/end`: every session of a person, which for others than oneself is an administrator's. */
export const endSessionsBodySchema = z
  .strictObject({ person: idSchema('per').optional(), keep_current: z.boolean().optional() })
  .meta({ id: 'EndSessionsBody' });
export const endedSessionsSchema = z.strictObject({ ended: z.int() }).meta({ id: 'EndedSessions' });

/** `POST /v1/sign-in/logout`: where the browser goes to end the provider's session too; null where there is no such place. */
export const loggedOutSchema = z.strictObject({ url: z.string().nullable() }).meta({ id: 'LoggedOut' });

const tokenScopeSchema = z.enum(['read', 'decide', 'admin']);
const TOKEN_MOST_SECONDS = 90 * 24 * 3600;
/** `POST /v1/tokens`, in a session that proved who it is within the last five minutes. */
export const newTokenBodySchema = z
  .strictObject({
    name: z.string().trim().min(1).max(200),
    scopes: z
      .array(tokenScopeSchema)
      .min(1)
      .max(3)
      .refine((scopes) => new Set(scopes).size === scopes.length, 'each once'),
    /** 90 days at most, which is also the default. */
    expires_in_seconds: z.int().min(60).max(TOKEN_MOST_SECONDS).optional(),
  })
  .meta({ id: 'NewTokenBody' });
export type NewTokenBody = z.infer<typeof newTokenBodySchema>;

export const tokenViewSchema = z
  .strictObject({
    id: z.string(),
    person: idSchema('per'),
    name: z.string(),
    scopes: z.array(tokenScopeSchema),
    created_at: instantSchema,
    expires_at: instantSchema.nullable(),
    revoked_at: instantSchema.nullable(),
    last_used_at: instantSchema.nullable(),
    /** When the person proved who they are for it; null: made at the installation's own terminal. */
    stepped_up_at: instantSchema.nullable(),
  })
  .meta({ id: 'PersonalToken' });
export type TokenAnswer = z.infer<typeof tokenViewSchema>;
export const tokenListSchema = z.strictObject({ data: z.array(tokenViewSchema), next_cursor: z.null() }).meta({ id: 'PersonalTokens' });
/** The token is shown this once. */
export const madeTokenSchema = z.strictObject({ ...tokenViewSchema.shape, token: z.string() }).meta({ id: 'MadePersonalToken' });

const accountShape = {
  platform: z.enum(['slack', 'teams']),
  /** Slack's team or enterprise id; Teams' tenant id. */
  workspace: z.string().min(1).max(128),
  /** Slack's user id; the AAD object id. */
  user: z.string().min(1).max(128),
};

export const linkViewSchema = z
  .strictObject({
    id: z.string(),
    ...accountShape,
    person: idSchema('per'),
    how: z.enum(['directory', 'proof', 'email', 'administrator']),
    linked_at: instantSchema,
    /** Until then the account may not decide: it was linked anew. */
    waits_until: instantSchema.nullable(),
  })
  .meta({ id: 'AccountLink' });
export type LinkAnswer = z.infer<typeof linkViewSchema>;
export const linkListSchema = z.strictObject({ data: z.array(linkViewSchema), next_cursor: z.null() }).meta({ id: 'AccountLinks' });

/** `POST /v1/links`: an administrator names a chat account of somebody else. */
export const newLinkBodySchema = z.strictObject({ ...accountShape, person: idSchema('per') }).meta({ id: 'NewLinkBody' });

const linkTokenSchema = z.string().min(1).max(128);
/** `POST /v1/links/open`: what the link of the chat is about. The first session that opens it has it. */
export const openLinkBodySchema = z.strictObject({ token: linkTokenSchema }).meta({ id: 'OpenLinkBody' });
export const openedLinkSchema = z
  .strictObject({
    ...accountShape,
    /** How the platform names the account. */
    label: z.string().nullable(),
    person: personViewSchema,
    expires_at: instantSchema,
    /** How the chat account was proved; null: it was not yet. */
    proof: z.enum(['slack_oidc', 'teams_oidc', 'code']).nullable(),
    /** How it can be. */
    ways: z.array(z.enum(['slack_oidc', 'code'])),
    /** The bot was asked to send a code to the account. */
    code_sent: z.boolean(),
  })
  .meta({ id: 'OpenedLink' });
export type OpenedLink = z.infer<typeof openedLinkSchema>;
/** `POST /v1/links/prove`. */
export const proveLinkBodySchema = z.strictObject({ token: linkTokenSchema, way: z.enum(['slack_oidc', 'code']) }).meta({ id: 'ProveLinkBody' });
/** Where the browser goes; null: the code is on its way to the chat account. */
export const provingLinkSchema = z.strictObject({ url: z.string().nullable() }).meta({ id: 'ProvingLink' });
/** `POST /v1/links/confirm`; the code where that is the proof. */
export const confirmLinkBodySchema = z.strictObject({ token: linkTokenSchema, code: z.string().max(32).optional() }).meta({ id: 'ConfirmLinkBody' });

export const identityViewSchema = z
  .strictObject({
    issuer: z.string(),
    subject: z.string(),
    person: idSchema('per'),
    how: z.enum(['directory', 'email', 'jit', 'administrator']),
    linked_at: instantSchema,
    last_used_at: instantSchema.nullable(),
  })
  .meta({ id: 'Identity' });
export const identityListSchema = z.strictObject({ data: z.array(identityViewSchema), next_cursor: z.null() }).meta({ id: 'Identities' });
/** `POST /v1/identities/cut`. */
export const cutIdentityBodySchema = z
  .strictObject({ issuer: z.string().min(1).max(2048), subject: z.string().min(1).max(1024) })
  .meta({ id: 'CutIdentityBody' });
