import {
  agentPatchSchema,
  directoryAgentListSchema,
  directoryAgentSchema,
  directoryGroupListSchema,
  directoryGroupMembersSchema,
  directoryPersonListSchema,
  directoryPersonSchema,
  type DirectoryPersonView,
  newAgentSchema,
  pendingChangeSchema,
  personPatchSchema,
} from '@countersign/contracts';
import { type AdministrationRefusal, type AgentBody, changePerson, refusalText, saveAgent } from '@countersign/core/flow';
import type { AgentEntry, DirectoryNow, PersonEntry } from '@countersign/core/ports';
import type { IntakeDeps } from '../deps.js';
import { gated } from '../http/gated.js';
import { type Answer, type Route, route } from '../http/route.js';
import { notFound, trouble, type Trouble } from '../problems.js';
import { administers, seesAll } from '../visibility.js';

const PEOPLE_ONLY = { problem: 'forbidden', detail: 'The directory is for administrators, not for API keys.' } as const;
const PENDING = { description: 'A second person has to approve it first', schema: pendingChangeSchema, headers: { Location: 'The change' } };

/** People, groups and agents: where each came from, and what administrators change of them. */
export function directoryRoutes(deps: IntakeDeps): Route[] {
  const { directory } = deps;
  const world = { ...deps.flow, directory };
  const told = (): void => {
    deps.flow.announcer.announce('decisions');
    deps.flow.announcer.announce('cards');
  };

  return [
    route({
      method: 'get',
      path: '/v1/people',
      name: 'listPeople',
      tag: 'Directory',
      summary: 'Everybody whom the directory knows, who says so, and who is one human',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      answers: { 200: { description: 'Everybody, by address', schema: directoryPersonListSchema } },
      problems: ['forbidden'],
      async handle({ reader }) {
        if (!seesAll(reader.person)) return notForYou();
        const now = await directory.look(reader.tenant, { all: true });
        return { status: 200, json: { data: personViews(now), next_cursor: null } };
      },
    }),

    route({
      method: 'get',
      path: '/v1/people/:id',
      name: 'getPerson',
      tag: 'Directory',
      summary: 'One person. Everybody may read their own entry',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      parameters: { id: 'The id of a person, per_…' },
      answers: { 200: { description: 'The person', schema: directoryPersonSchema } },
      async handle({ reader, params: { id = '' } }) {
        if (!seesAll(reader.person) && reader.person.id !== id) return notFound();
        const now = await directory.look(reader.tenant, { people: [id], groups_of_people: true });
        const found = personViews(now).find((person) => person.id === id);
        return found === undefined ? notFound() : { status: 200, json: found };
      },
    }),

    route({
      method: 'patch',
      path: '/v1/people/:id',
      name: 'changePerson',
      tag: 'Directory',
      summary: 'Deactivate or activate a person, or say their roles where the file does not',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      parameters: { id: 'The id of a person, per_…' },
      body: personPatchSchema,
      answers: { 200: { description: 'As it is now', schema: directoryPersonSchema }, 202: PENDING },
      problems: ['forbidden', 'directory_owned', 'last_administrator', 'frozen'],
      async handle({ reader, params: { id = '' }, body }) {
        if (!administers(reader)) return notForYou();
        const look = () => directory.look(reader.tenant, { people: [id], groups_of_people: true });
        const before = await look();
        const person = before.people.find((candidate) => candidate.id === id);
        if (person === undefined) return notFound();
        const apply = async (): Promise<Answer> => {
          const outcome = await changePerson(world, reader.tenant, reader.person.id, id, body);
          if (outcome.kind !== 'changed') return refusalOf(outcome);
          told();
          const now = personViews(await look()).find((candidate) => candidate.id === id);
          return now === undefined ? notFound() : { status: 200, json: now };
        };
        // To take somebody out must not wait, unless it is what leaves one administrator alone.
        if (body.roles === undefined && body.active === false && !person.roles.includes('administrator')) return apply();
        const change = withoutAbsent(body);
        return gated(deps, reader, { kind: 'person.change', resource: id, payload: { id, change }, summary: { person: person.email, ...change } }, apply);
      },
    }),

    route({
      method: 'get',
      path: '/v1/groups',
      name: 'listGroups',
      tag: 'Directory',
      summary: 'The groups, who says who is in them, and how many are',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      answers: { 200: { description: 'By name', schema: directoryGroupListSchema } },
      problems: ['forbidden'],
      async handle({ reader }) {
        if (!seesAll(reader.person)) return notForYou();
        const { groups } = await directory.look(reader.tenant, { all: true });
        const data = groups.map(({ id, name, source, members, updated_at }) => ({ id, name, source, size: members.length, updated_at }));
        return { status: 200, json: { data, next_cursor: null } };
      },
    }),

    route({
      method: 'get',
      path: '/v1/groups/:name',
      name: 'getGroup',
      tag: 'Directory',
      summary: 'One group, with the ids of who is in it',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      parameters: { name: 'The name of a group' },
      answers: { 200: { description: 'The group', schema: directoryGroupMembersSchema } },
      problems: ['forbidden'],
      async handle({ reader, params: { name = '' } }) {
        if (!seesAll(reader.person)) return notForYou();
        const [group] = (await directory.look(reader.tenant, { groups: [name] })).groups;
        if (group === undefined) return notFound();
        const { id, source, members, updated_at } = group;
        return { status: 200, json: { id, name: group.name, source, size: members.length, updated_at, members } };
      },
    }),

    route({
      method: 'get',
      path: '/v1/agents',
      name: 'listAgents',
      tag: 'Directory',
      summary: 'The agents, who answers for them, and what they may ask',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      answers: { 200: { description: 'By id', schema: directoryAgentListSchema } },
      problems: ['forbidden'],
      async handle({ reader }) {
        if (!seesAll(reader.person)) return notForYou();
        const { agents } = await directory.look(reader.tenant, { all: true });
        return { status: 200, json: { data: agents.map(agentView), next_cursor: null } };
      },
    }),

    route({
      method: 'post',
      path: '/v1/agents',
      name: 'createAgent',
      tag: 'Directory',
      summary: 'Make an agent known, with who answers for it',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      body: newAgentSchema,
      answers: { 201: { description: 'As it is now', schema: directoryAgentSchema }, 202: PENDING },
      problems: ['forbidden', 'directory_owned', 'frozen'],
      async handle({ reader, body: { id, ...agent } }) {
        if (!administers(reader)) return notForYou();
        return save(reader, id, agent, 201);
      },
    }),

    route({
      method: 'patch',
      path: '/v1/agents/:id',
      name: 'changeAgent',
      tag: 'Directory',
      summary: 'Change an agent that was made here; what is absent stays',
      who: 'person',
      caller_refusal: PEOPLE_ONLY,
      changes: true,
      parameters: { id: 'The id of an agent' },
      body: agentPatchSchema,
      answers: { 200: { description: 'As it is now', schema: directoryAgentSchema }, 202: PENDING },
      problems: ['forbidden', 'directory_owned', 'frozen'],
      async handle({ reader, params: { id = '' }, body }) {
        if (!administers(reader)) return notForYou();
        const [known] = (await directory.look(reader.tenant, { agents: [id] })).agents;
        if (known === undefined) return notFound();
        const { owner, owner_group, active, actions, purposes, risk } = { ...known, ...withoutAbsent(body) };
        if (owner === null && owner_group === null) {
          return trouble('invalid_body', 'Somebody answers for an agent.', { errors: [{ pointer: '/owner', detail: 'name owner or owner_group' }] });
        }
        return save(reader, known.id, { owner, owner_group, active, actions, purposes, risk }, 200);
      },
    }),
  ];

  async function save(reader: Parameters<typeof gated>[1], id: string, agent: AgentBody, status: number): Promise<Answer> {
    const [known] = (await directory.look(reader.tenant, { agents: [id] })).agents;
    if (known !== undefined && known.source !== 'api') return refusalOf({ kind: 'owned', source: 'file', what: 'the agent' });
    if (known !== undefined && status === 201) {
      return trouble('invalid_body', 'There is such an agent already.', { errors: [{ pointer: '/id', detail: 'is known already' }] });
    }
    const apply = async (): Promise<Answer> => {
      const outcome = await saveAgent(world, reader.tenant, reader.person.id, id, agent);
      if (outcome.kind !== 'changed') return refusalOf(outcome);
      told();
      return { status, json: agentView(outcome.agent) };
    };
    return gated(deps, reader, { kind: 'agent.save', resource: id, payload: { id, agent: { ...agent } }, summary: { ...agent } }, apply);
  }
}

function personViews(now: DirectoryNow): DirectoryPersonView[] {
  const groups = new Map<string, string[]>();
  for (const { name, members } of now.groups) for (const id of members) groups.set(id, [...(groups.get(id) ?? []), name]);
  const humans = new Map<string, string[]>();
  for (const { id, human, deleted_at } of now.people) if (deleted_at === null) humans.set(human, [...(humans.get(human) ?? []), id]);
  return now.people
    .filter(({ deleted_at }) => deleted_at === null)
    .map((person) => personView(person, groups.get(person.id) ?? [], humans.get(person.human) ?? []));
}

function personView(person: PersonEntry, groups: string[], entries: readonly string[]): DirectoryPersonView {
  const { id, email, name, active, roles, source, sources, inactive_by, aliases, updated_at } = person;
  return { id, email, name, active, roles, groups, source, sources, inactive_by, aliases, same_human: entries.filter((other) => other !== id), updated_at };
}

function agentView({ id, owner, owner_group, active, actions, purposes, risk, source, updated_at }: AgentEntry) {
  return { id, owner, owner_group, active, actions, purposes, risk, source, updated_at };
}

function refusalOf(refusal: AdministrationRefusal): Trouble {
  const text = refusalText(refusal);
  switch (refusal.kind) {
    case 'unknown':
      return notFound();
    case 'owned':
      return trouble('directory_owned', text);
    case 'last_administrator':
      return trouble('last_administrator', text);
    case 'no_owner':
      return trouble('invalid_body', text, { errors: [{ pointer: `/${refusal.what}`, detail: 'is nobody' }] });
  }
}

const notForYou = (): Trouble => trouble('forbidden', 'The directory is for administrators, with a credential that administers; auditors read it.');

type Present<Body> = { [Key in keyof Body]: Exclude<Body[Key], undefined> };

/** The members that are given. */
function withoutAbsent<Body extends object>(body: Body): Partial<Present<Body>> {
  // What is left has no undefined member.
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)) as Partial<Present<Body>>;
}
