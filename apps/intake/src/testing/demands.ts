import type { Requirement } from '@countersign/contracts';
import { type ApiWorld, createApiWorld, type Name, type Reply } from './api-world.js';

/** One stage in which so many of these groups are needed. */
export const stage = (...all: Requirement['stages'][number]['all']): Requirement['stages'][number] => ({
  name: 'stage 1',
  all,
  distinct_humans: all.reduce((sum, { quorum }) => sum + quorum, 0),
});

export const ANY_VIA: Requirement['via'] = ['api', 'email', 'slack', 'teams', 'web'];

/** Opens everything of the request, as the person's client does that has shown it. */
export async function openAll(world: ApiWorld, who: Name, { id }: Opened, view_digest?: string): Promise<Reply> {
  const card = await world.call('GET', `/v1/previews/web/${id}`, { as: world.tokens[who] });
  const body = { view_digest: view_digest ?? card.json?.view_digest ?? `sha256:${'0'.repeat(64)}` };
  return world.call('POST', `/v1/action-requests/${id}/opened`, { as: world.tokens[who], body });
}

/** A world whose policy demands these things of these actions; decisions come by the API, which policy has to allow. */
export function demandingWorld(demands: Record<string, Partial<Requirement>>): Promise<ApiWorld> {
  const entries = Object.entries(demands).map(([action, more]) => [action, { via: ANY_VIA, ...more }]);
  return createApiWorld({ demands: Object.fromEntries(entries) });
}

export interface Opened {
  id: string;
  request_digest: string;
  action_digest: string;
}

/** Opens a request for an action on something that no rule of the quickstart speaks of. */
export async function ask(world: ApiWorld, action: string, members: object = {}, as?: string): Promise<Opened> {
  const reply = await world.submit({ action, resource: { type: 'thing', id: 'one' }, ...members }, as === undefined ? {} : { as });
  if (reply.status !== 201 || reply.json.status !== 'pending') throw new Error(`not pending: ${reply.text}`);
  return reply.json;
}

/** Decides as a person by their token, with whatever else the body has. */
export function press(world: ApiWorld, who: Name, { id, request_digest }: Opened, body: object = {}): Promise<Reply> {
  return world.call('POST', `/v1/action-requests/${id}/decisions`, { as: world.tokens[who], body: { verdict: 'approve', request_digest, ...body } });
}

export const read = async (world: ApiWorld, { id }: Opened) => (await world.call('GET', `/v1/action-requests/${id}`, { as: world.key })).json;

/** The names of what happened to the request. */
export async function eventsOf(world: ApiWorld, { id }: Opened): Promise<string[]> {
  const { json } = await world.call('GET', `/v1/action-requests/${id}/events`, { as: world.key });
  return json.data.map(({ event }: { event: string }) => event);
}

/** Puts somebody into a group of the directory. */
export async function join(world: ApiWorld, who: Name, group: string): Promise<void> {
  await world.sql(
    `INSERT INTO directory_memberships (tenant, group_name, person_id) VALUES ('default', '${group}', '${world.people[who].id}') ON CONFLICT DO NOTHING`,
  );
}

/** As if the request had been opened so many seconds earlier, its timers and its end with it. */
export async function age(world: ApiWorld, { id }: Opened, seconds: number): Promise<void> {
  const by = `interval '${seconds} seconds'`;
  await world.sql(`UPDATE action_requests SET created_at = created_at - ${by}, expires_at = expires_at - ${by} WHERE id = '${id}';
    UPDATE timers SET due_at = due_at - ${by} WHERE request_id = '${id}'`);
}

export const refusal = ({ status, json }: Reply): [number, string] => [status, json?.code];
