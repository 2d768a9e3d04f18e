import type { JsonObject } from '@countersign/contracts';
import { changeScimUser, createScimUser, deleteScimUser, type ScimClient, type ScimUserDraft, type ScimUserOutcome } from '@countersign/core/flow';
import type { ScimUser } from '@countersign/core/ports';
import {
  EXACT,
  matches,
  patchUser,
  readUser,
  refusable,
  ScimError,
  selected,
  USER_FILTERS,
  userAttributes,
  userResource,
  versionOf,
} from '@countersign/identity/scim';
import type { ScimDeps } from './deps.js';
import { filterOf, isSame, listOf, lookedUp, type ScimAnswer, type ScimCall, type ScimRoute } from './route.js';

/** /Users: what a client writes of people. */
export function userRoutes(deps: ScimDeps, base: string): ScimRoute[] {
  const { scim } = deps;
  const world = { ...deps.flow, directory: deps.directory };

  const groupsOf = async (tenant: string, users: readonly ScimUser[]) => {
    const all = await scim.groupsOf(
      tenant,
      users.map(({ id }) => id),
    );
    return (user: ScimUser) => all.filter((group) => group.user === user.id);
  };
  const resources = async ({ client, query }: ScimCall, users: readonly ScimUser[]): Promise<JsonObject[]> => {
    const groups = await groupsOf(client.tenant, users);
    const wanted = { attributes: query('attributes'), excludedAttributes: query('excludedAttributes') };
    return users.map((user) => selected(userResource(user, groups(user), base), wanted));
  };
  const answerOf = async (call: ScimCall, outcome: ScimUserOutcome, status = 200): Promise<ScimAnswer> => {
    const user = userOf(outcome);
    // Who changed or made somebody is why decisions may look otherwise from now on.
    deps.flow.announcer.announce('decisions');
    deps.flow.announcer.announce('cards');
    const [json] = await resources(call, [user]);
    const headers = { ETag: versionOf(user.revision), ...(status === 201 ? { Location: `${base}/Users/${user.id}` } : {}) };
    return { status, ...(json === undefined ? {} : { json }), headers };
  };
  const edited = (call: ScimCall, edit: (user: ScimUser) => ScimUserDraft): Promise<ScimUserOutcome> =>
    changeScimUser(world, call.client, call.id, call.ifMatch, (user) => {
      const done = refusable(() => edit(user));
      return done.ok ? { ok: true, draft: done.value } : done;
    });

  return [
    {
      method: 'GET',
      path: '/Users',
      async handle(call) {
        const { client, query, page } = call;
        const filter = filterOf(query);
        const found = await candidates(deps, client, filter);
        if (filter === null) return listOf(found, page, (users) => resources(call, users));
        const groups = await groupsOf(client.tenant, found);
        // Names that nobody knows are refused also where there is nobody to hold against them.
        matches(filter, userAttributes(NOBODY), EXACT, USER_FILTERS);
        const fitting = found.filter((user) => matches(filter, userAttributes(user, groups(user)), EXACT, USER_FILTERS));
        return listOf(fitting, page, (users) => resources(call, users));
      },
    },
    {
      method: 'POST',
      path: '/Users',
      handle: async (call) => answerOf(call, await createScimUser(world, call.client, readUser(call.body, null)), 201),
    },
    {
      method: 'GET',
      path: '/Users/:id',
      async handle(call) {
        const [user] = await scim.users(call.client.tenant, { id: call.id });
        if (user === undefined) throw unknown();
        const headers = { ETag: versionOf(user.revision) };
        if (isSame(call.ifNoneMatch, headers.ETag)) return { status: 304, headers };
        const [json] = await resources(call, [user]);
        return { status: 200, ...(json === undefined ? {} : { json }), headers };
      },
    },
    { method: 'PUT', path: '/Users/:id', handle: async (call) => answerOf(call, await edited(call, (user) => readUser(call.body, user))) },
    { method: 'PATCH', path: '/Users/:id', handle: async (call) => answerOf(call, await edited(call, (user) => patchUser(user, call.body))) },
    {
      method: 'DELETE',
      path: '/Users/:id',
      async handle({ client, id, ifMatch }) {
        userOf(await deleteScimUser(world, client, id, ifMatch));
        deps.flow.announcer.announce('decisions');
        deps.flow.announcer.announce('cards');
        return { status: 204 };
      },
    },
  ];
}

/** Everybody, or the few whom a look-up by an indexed attribute leaves. */
function candidates({ scim }: ScimDeps, { tenant }: ScimClient, filter: Parameters<typeof lookedUp>[0]): Promise<ScimUser[]> {
  const user_name = lookedUp(filter, 'username');
  if (user_name !== null) return scim.users(tenant, { user_name });
  const external_id = lookedUp(filter, 'externalid');
  if (external_id !== null) return scim.users(tenant, { external_id });
  const id = lookedUp(filter, 'id');
  return id === null ? scim.users(tenant) : scim.users(tenant, { id });
}

function userOf(outcome: ScimUserOutcome): ScimUser {
  switch (outcome.kind) {
    case 'done':
      return outcome.user;
    case 'unknown':
      throw unknown();
    case 'stale':
      throw new ScimError(412, null, 'The user was changed since: read it again.');
    case 'taken':
      throw new ScimError(409, 'uniqueness', `Another entry of the directory has this ${outcome.what === 'userName' ? 'userName' : 'e-mail address'}.`);
    case 'refused':
      throw outcome.refusal;
  }
}

const unknown = () => new ScimError(404, null, 'There is no such user.');

const NOBODY: ScimUser = {
  ...{ id: '', user_name: '', external_id: null, given_name: null, family_name: null, formatted: null, display_name: null },
  ...{ title: null, user_type: null, department: null, emails: [], active: false, revision: 0, created_at: '', updated_at: '', deleted_at: null },
};
