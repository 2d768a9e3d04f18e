import type { JsonObject } from '@countersign/contracts';
import { changeScimGroup, createScimGroup, deleteScimGroup, type ScimGroupDraft, type ScimGroupOutcome } from '@countersign/core/flow';
import type { GroupEntry } from '@countersign/core/ports';
import {
  EXACT,
  GROUP_FILTERS,
  groupAttributes,
  groupResource,
  matches,
  patchGroup,
  readGroup,
  refusable,
  ScimError,
  selected,
  versionOf,
} from '@countersign/identity/scim';
import type { ScimDeps } from './deps.js';
import { filterOf, isSame, listOf, lookedUp, type ScimAnswer, type ScimCall, type ScimRoute } from './route.js';

/** /Groups: those that clients made. What the directory's file says of groups is not seen here, and not changed. */
export function groupRoutes(deps: ScimDeps, base: string): ScimRoute[] {
  const { scim } = deps;
  const world = { ...deps.flow, directory: deps.directory };

  const resource = ({ query }: ScimCall, group: GroupEntry): JsonObject =>
    selected(groupResource(group, base), { attributes: query('attributes'), excludedAttributes: query('excludedAttributes') });
  const changed = (group: GroupEntry): { ETag: string } => {
    deps.flow.announcer.announce('decisions');
    deps.flow.announcer.announce('cards');
    return { ETag: versionOf(group.revision) };
  };
  const edited = (call: ScimCall, edit: (group: GroupEntry) => ScimGroupDraft): Promise<ScimGroupOutcome> =>
    changeScimGroup(world, call.client, call.id, call.ifMatch, (group) => {
      const done = refusable(() => edit(group));
      return done.ok ? { ok: true, draft: done.value } : done;
    });

  return [
    {
      method: 'GET',
      path: '/Groups',
      async handle(call) {
        const { client, query, page } = call;
        const filter = filterOf(query);
        const name = lookedUp(filter, 'displayname');
        const id = lookedUp(filter, 'id');
        const members = showsMembers(query) || JSON.stringify(filter ?? {}).includes('"members');
        const narrow = name !== null ? { name } : id !== null ? { id } : undefined;
        const found = await scim.groups(client.tenant, { members, ...(narrow === undefined ? {} : { narrow }) });
        if (filter !== null) matches(filter, groupAttributes(NOTHING), EXACT, GROUP_FILTERS);
        const fitting = filter === null ? found : found.filter((group) => matches(filter, groupAttributes(group), EXACT, GROUP_FILTERS));
        return listOf(fitting, page, async (groups) => groups.map((group) => resource(call, group)));
      },
    },
    {
      method: 'POST',
      path: '/Groups',
      async handle(call) {
        const group = groupOf(await createScimGroup(world, call.client, readGroup(call.body)));
        return { status: 201, json: resource(call, group), headers: { ...changed(group), Location: `${base}/Groups/${group.id}` } };
      },
    },
    {
      method: 'GET',
      path: '/Groups/:id',
      async handle(call): Promise<ScimAnswer> {
        const [group] = await scim.groups(call.client.tenant, { members: showsMembers(call.query), narrow: { id: call.id } });
        if (group === undefined) throw unknown();
        const headers = { ETag: versionOf(group.revision) };
        return isSame(call.ifNoneMatch, headers.ETag) ? { status: 304, headers } : { status: 200, json: resource(call, group), headers };
      },
    },
    {
      method: 'PUT',
      path: '/Groups/:id',
      async handle(call) {
        const group = groupOf(await edited(call, () => readGroup(call.body)));
        return { status: 200, json: resource(call, group), headers: changed(group) };
      },
    },
    {
      method: 'PATCH',
      path: '/Groups/:id',
      // Without a body (RFC 7644, section 3.5.2): a client that takes one user out does not want 10,000 others told.
      handle: async (call) => ({ status: 204, headers: changed(groupOf(await edited(call, (group) => patchGroup(group, call.body)))) }),
    },
    {
      method: 'DELETE',
      path: '/Groups/:id',
      async handle({ client, id, ifMatch }) {
        changed(groupOf(await deleteScimGroup(world, client, id, ifMatch)));
        return { status: 204 };
      },
    },
  ];
}

function showsMembers(query: ScimCall['query']): boolean {
  const names = (list: string | undefined): string[] => (list ?? '').toLowerCase().split(/[\s,]+/);
  const wanted = query('attributes');
  return (wanted === undefined || names(wanted).some((name) => name.includes('members'))) && !names(query('excludedAttributes')).includes('members');
}

function groupOf(outcome: ScimGroupOutcome): GroupEntry {
  switch (outcome.kind) {
    case 'done':
      return outcome.group;
    case 'unknown':
      throw unknown();
    case 'stale':
      throw new ScimError(412, null, 'The group was changed since: read it again.');
    case 'taken':
      throw new ScimError(409, 'uniqueness', 'There is a group of this name, or the directory says one.');
    case 'strangers':
      throw new ScimError(400, 'invalidValue', `These members are no users here: ${outcome.ids.slice(0, 10).join(', ')}.`);
    case 'refused':
      throw outcome.refusal;
  }
}

const unknown = () => new ScimError(404, null, 'There is no such group.');

const NOTHING: GroupEntry = { id: '', name: '', source: 'scim', external_id: null, members: [], revision: 0, created_at: '', updated_at: '' };
