import {
  decisionAssertionBodySchema,
  decisionAssertionSchema,
  decisionChallengeBodySchema,
  passkeyOptionsSchema,
  stepUpBodySchema,
  stepUpIntentSchema,
  stepUpSchema,
} from '@countersign/contracts';
import type { StepUpIntent } from '@countersign/core/ports';
import { assertDecision, assertSession, type AuthenticationResponseJSON, decisionOptions, sessionCookie, sessionOptions } from '@countersign/identity';
import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { notFound, type Trouble, trouble } from '../problems.js';
import { ceremony, passkeyTrouble, passkeyWorld, recordRefusedPasskey } from '../step-up.js';
import { visible } from './action-requests.js';

/** Signing by passkey: a decision, or that it is still the same person in the session. */
export function stepUpRoutes(deps: IntakeDeps): Route[] {
  const world = passkeyWorld(deps);
  const requestId = { id: 'The id of an action request, ar_…' };

  /** Null where none was named; another person's is refused, and one that was used. */
  async function waiting(tenant: string, person: string, id: string | undefined, request: string): Promise<StepUpIntent | Trouble | null> {
    const intent = await intentOf(tenant, person, id, request);
    if (intent === null || 'problem' in intent || intent.used_at === null) return intent;
    return trouble('not_found', 'What was pressed was signed already. Decide on the page of the request.');
  }

  /** The same, used or not. */
  async function intentOf(tenant: string, person: string, id: string | undefined, request: string): Promise<StepUpIntent | Trouble | null> {
    if (id === undefined) return null;
    const intent = await deps.passkeys.intent(tenant, id);
    if (intent === null || intent.request_id !== request) return trouble('not_found', 'What was pressed is over. Decide on the page of the request.');
    if (intent.person_id !== person) return trouble('forbidden', 'Somebody else pressed this button. Sign in as the person who did, or press your own.');
    return intent;
  }

  return [
    route({
      method: 'post',
      path: '/v1/action-requests/:id/passkey-challenges',
      name: 'beginPasskeyDecision',
      tag: 'Decisions',
      summary: 'Begin to decide by passkey: a challenge over this request, what is shown of it, and the verdict',
      who: 'person',
      parameters: requestId,
      body: decisionChallengeBodySchema,
      answers: { 201: { description: 'What navigator.credentials.get is asked for; good for five minutes, in this session', schema: passkeyOptionsSchema } },
      problems: ['not_found', 'already_settled', 'step_up_required'],
      async handle({ reader, header, params: { id = '' }, body }) {
        const who = ceremony(deps, reader, header('cookie'));
        if ('problem' in who) return who;
        const state = await visible(deps, reader, id);
        if (state === null) return notFound();
        const { request } = state;
        if (request.status !== 'pending') return trouble('already_settled', `Too late: the request is ${request.status}.`);
        const intent = await waiting(who.tenant, who.person.id, body.intent, id);
        if (intent !== null && 'problem' in intent) return intent;
        const keys = await deps.passkeys.list(who.tenant, who.person.id);
        if (keys.every(({ removed_at }) => removed_at !== null)) {
          return trouble('step_up_required', `You have no passkey yet. Enrol one under ${deps.flow.publicUrl}/passkeys, just after you signed in.`);
        }
        const { request_digest, view_digest } = request;
        return { status: 201, json: await decisionOptions(world, who, { request_id: id, request_digest, view_digest, verdict: body.verdict }) };
      },
    }),

    route({
      method: 'post',
      path: '/v1/action-requests/:id/passkey-assertions',
      name: 'assertPasskeyDecision',
      tag: 'Decisions',
      summary: 'Hand in what the passkey signed, and get what the decision names as `passkey`',
      who: 'person',
      parameters: requestId,
      body: decisionAssertionBodySchema,
      answers: { 201: { description: 'Verified. Nothing is decided yet', schema: decisionAssertionSchema } },
      problems: ['not_found', 'passkey_refused'],
      async handle({ reader, header, params: { id = '' }, body }) {
        const who = ceremony(deps, reader, header('cookie'));
        if ('problem' in who) return who;
        const state = await visible(deps, reader, id);
        if (state === null) return notFound();
        const intent = await waiting(who.tenant, who.person.id, body.intent, id);
        if (intent !== null && 'problem' in intent) return intent;
        const asserted = await assertDecision(world, who, responseOf(body), state.request, intent?.id ?? null);
        if (asserted.kind === 'refused') {
          await recordRefusedPasskey(deps, who, asserted, id);
          return passkeyTrouble(asserted);
        }
        return { status: 201, json: { passkey: asserted.handle, verdict: asserted.verdict, expires_at: asserted.expires_at } };
      },
    }),

    route({
      method: 'get',
      path: '/v1/step-up-intents/:id',
      name: 'getStepUpIntent',
      tag: 'Decisions',
      summary: 'What you pressed in a chat, where that needs a passkey. It decides nothing',
      who: 'person',
      parameters: { id: 'As it stands in the link' },
      answers: { 200: { description: 'Your own press', schema: stepUpIntentSchema } },
      problems: ['not_found'],
      async handle({ reader, params: { id = '' } }) {
        if (!UUID.test(id)) return notFound();
        const found = await deps.passkeys.intent(reader.tenant, id);
        const intent = found === null ? null : await intentOf(reader.tenant, reader.person.id, id, found.request_id);
        if (intent === null) return notFound('What was pressed is over. Decide on the page of the request.');
        if ('problem' in intent) return intent;
        const { request_id: action_request, verdict, reason, given, via, created_at, expires_at, used_at } = intent;
        const { ticket, acknowledged, break_glass, delegate_for } = given;
        const absent = delegate_for === undefined ? null : await deps.directory.person(reader.tenant, delegate_for);
        return {
          status: 200,
          json: {
            ...{ id, action_request, verdict, reason, via, created_at, expires_at, used_at },
            ...(ticket === undefined ? {} : { ticket }),
            ...(acknowledged === undefined ? {} : { acknowledged: [...acknowledged] }),
            ...(break_glass === undefined ? {} : { break_glass }),
            ...(absent === null ? {} : { delegate_for: { id: absent.id, email: absent.email, name: absent.name } }),
          },
        };
      },
    }),

    route({
      method: 'post',
      path: '/v1/sessions/step-up/challenges',
      name: 'beginStepUp',
      tag: 'People',
      summary: 'Begin to prove again, by passkey, that it is you in this session',
      who: 'person',
      answers: { 201: { description: 'What navigator.credentials.get is asked for', schema: passkeyOptionsSchema } },
      async handle({ reader, header }) {
        const who = ceremony(deps, reader, header('cookie'));
        return 'problem' in who ? who : { status: 201, json: await sessionOptions(world, who) };
      },
    }),

    route({
      method: 'post',
      path: '/v1/sessions/step-up',
      name: 'stepUp',
      tag: 'People',
      summary: 'Prove again, by passkey, that it is you: the session counts as freshly signed in, and its cookie changes',
      who: 'person',
      body: stepUpBodySchema,
      answers: { 200: { description: 'Fresh for five minutes', schema: stepUpSchema, headers: { 'Set-Cookie': 'The session, under another value' } } },
      problems: ['passkey_refused'],
      async handle({ reader, header, body }) {
        const who = ceremony(deps, reader, header('cookie'));
        if ('problem' in who) return who;
        const proved = await assertSession(world, who, responseOf(body));
        if (proved.kind === 'refused') {
          await recordRefusedPasskey(deps, who, proved, 'session');
          return passkeyTrouble(proved);
        }
        return { status: 200, json: { auth_time: proved.at }, headers: { 'Set-Cookie': sessionCookie(deps.flow.publicUrl, proved.value) } };
      },
    }),
  ];
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** The schema holds what the library reads; the rest is the browser's. A user handle may be null. */
function responseOf(body: { response: { response: { userHandle?: string | null | undefined } } }): AuthenticationResponseJSON {
  const { response } = body;
  const { userHandle, ...rest } = response.response;
  return {
    clientExtensionResults: {},
    ...response,
    response: { ...rest, ...(userHandle == null ? {} : { userHandle }) },
  } as unknown as AuthenticationResponseJSON;
}
