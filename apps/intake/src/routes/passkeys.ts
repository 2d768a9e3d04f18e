import {
  passkeyBodySchema,
  passkeyListSchema,
  passkeyOptionsSchema,
  passkeyPatchSchema,
  passkeyResetSchema,
  passkeySchema,
  type PasskeyView,
} from '@countersign/contracts';
import type { PasskeyRecord } from '@countersign/core/ports';
import { type AuthenticatedPerson, enrol, enrolmentOptions, type RegistrationResponseJSON, removePasskeys } from '@countersign/identity';
import type { IntakeDeps } from '../deps.js';
import { type Route, route } from '../http/route.js';
import { notFound, type Trouble, trouble } from '../problems.js';
import { freshCeremony, passkeyTrouble, passkeyWorld } from '../step-up.js';
import { administers } from '../visibility.js';

/** Enrolling, naming and removing passkeys. Enrolment and removal take a session whose person has just proved who they are. */
export function passkeyRoutes(deps: IntakeDeps): Route[] {
  const world = passkeyWorld(deps);
  const idParameter = { id: 'The id of a passkey, pk_…' };
  return [
    route({
      method: 'post',
      path: '/v1/passkeys/challenges',
      name: 'beginPasskey',
      tag: 'People',
      summary: 'Begin to enrol a passkey: what navigator.credentials.create is asked for',
      who: 'person',
      answers: { 201: { description: 'Good for five minutes, in this session', schema: passkeyOptionsSchema } },
      problems: ['step_up_required', 'passkey_refused'],
      async handle({ reader, header }) {
        const who = freshCeremony(deps, reader, header('cookie'));
        if ('problem' in who) return who;
        const options = await enrolmentOptions(world, who);
        return 'kind' in options ? passkeyTrouble(options) : { status: 201, json: options };
      },
    }),

    route({
      method: 'post',
      path: '/v1/passkeys',
      name: 'enrolPasskey',
      tag: 'People',
      summary: 'Enrol the passkey that the browser made',
      who: 'person',
      body: passkeyBodySchema,
      answers: { 201: { description: 'Enrolled, and recorded in the ledger', schema: passkeySchema } },
      problems: ['step_up_required', 'passkey_refused'],
      async handle({ reader, header, body }) {
        const who = freshCeremony(deps, reader, header('cookie'));
        if ('problem' in who) return who;
        // The schema holds what the library reads; the rest is the browser's.
        const enrolled = await enrol(world, who, body.response as unknown as RegistrationResponseJSON, body.name);
        if (enrolled.kind === 'refused') return passkeyTrouble(enrolled);
        deps.flow.announcer.announce('decisions');
        return { status: 201, json: view(enrolled.passkey) };
      },
    }),

    route({
      method: 'get',
      path: '/v1/passkeys',
      name: 'listPasskeys',
      tag: 'People',
      summary: 'Your passkeys, those too that were removed',
      who: 'person',
      answers: { 200: { description: 'The oldest first', schema: passkeyListSchema } },
      handle: async ({ reader }) => listed(await deps.passkeys.list(reader.tenant, reader.person.id)),
    }),

    route({
      method: 'patch',
      path: '/v1/passkeys/:id',
      name: 'renamePasskey',
      tag: 'People',
      summary: 'Give a passkey of yours another name',
      who: 'person',
      changes: true,
      parameters: idParameter,
      body: passkeyPatchSchema,
      answers: { 200: { description: 'Renamed', schema: passkeySchema } },
      async handle({ reader, params: { id = '' }, body }) {
        const renamed = await deps.passkeys.rename(reader.tenant, id, reader.person.id, body.name);
        const key = renamed ? await deps.passkeys.get(reader.tenant, id) : null;
        return key === null ? notFound() : { status: 200, json: view(key) };
      },
    }),

    route({
      method: 'delete',
      path: '/v1/passkeys/:id',
      name: 'removePasskey',
      tag: 'People',
      summary: 'Remove a passkey of yours',
      who: 'person',
      parameters: idParameter,
      answers: { 204: { description: 'Removed, and recorded in the ledger: it signs nothing any more' } },
      problems: ['step_up_required'],
      async handle({ reader, header, params: { id = '' } }) {
        const who = freshCeremony(deps, reader, header('cookie'));
        if ('problem' in who) return who;
        const removed = await removePasskeys(world, { tenant: who.tenant, person: who.person, by: who.person, keys: [id], why: null });
        deps.flow.announcer.announce('decisions');
        return removed.length === 0 ? notFound() : { status: 204 };
      },
    }),

    route({
      method: 'get',
      path: '/v1/people/:id/passkeys',
      name: 'listPasskeysOf',
      tag: 'People',
      summary: "A person's passkeys, for administrators",
      who: 'person',
      parameters: { id: 'The id of a person, per_…' },
      answers: { 200: { description: 'The oldest first', schema: passkeyListSchema } },
      async handle({ reader, params: { id = '' } }) {
        return notAdministrator(reader) ?? listed(await deps.passkeys.list(reader.tenant, id));
      },
    }),

    route({
      method: 'post',
      path: '/v1/people/:id/passkeys/reset',
      name: 'resetPasskeys',
      tag: 'People',
      summary: 'Remove every passkey of a person who lost them: they enrol anew with a fresh sign-in',
      who: 'person',
      parameters: { id: 'The id of a person, per_…' },
      body: passkeyResetSchema,
      answers: { 200: { description: 'Removed, each recorded in the ledger', schema: passkeyListSchema } },
      problems: ['step_up_required'],
      async handle({ reader, header, params: { id = '' }, body }) {
        const refused = notAdministrator(reader);
        if (refused !== null) return refused;
        const who = freshCeremony(deps, reader, header('cookie'));
        if ('problem' in who) return who;
        const person = await deps.directory.person(reader.tenant, id);
        if (person === null) return notFound();
        const removed = await removePasskeys(world, { tenant: reader.tenant, person, by: who.person, why: body.reason });
        deps.flow.announcer.announce('decisions');
        return listed((await deps.passkeys.list(reader.tenant, id)).filter((key) => removed.some((gone) => gone.id === key.id)));
      },
    }),
  ];
}

function notAdministrator(reader: AuthenticatedPerson): Trouble | null {
  return administers(reader) ? null : trouble('forbidden', 'Only administrators look after passkeys of others.');
}

const listed = (keys: readonly PasskeyRecord[]) => ({ status: 200, json: { data: keys.map(view), next_cursor: null } });

function view({ id, name, aaguid, backed_up, created_at, last_used_at, removed_at, removed_by, person_id }: PasskeyRecord): PasskeyView {
  return { id, name, aaguid, backed_up, created_at, last_used_at, removed_at, removed_by_other: removed_by !== null && removed_by !== person_id };
}
