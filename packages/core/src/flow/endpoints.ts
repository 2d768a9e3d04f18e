import type { EndpointBody, EndpointPatch, EndpointView, JsonObject } from '@countersign/contracts';
import { callbackBytes } from '../outcome/index.js';
import type {
  DeliveryFilter,
  DeliveryStore,
  DeliveryView,
  EndpointChange,
  EndpointRecord,
  EndpointSecretRecord,
  EndpointStore,
  LeafRecord,
  SealContext,
} from '../ports.js';
import { base64, canonicalJson, fromUtf8, newId, newUuid, utf8 } from '../request/index.js';
import type { Applier, Appliers } from './config-change.js';
import type { FlowDeps } from './deps.js';
import { loneLeaf } from './lone-leaf.js';
import { fromPayload } from './prepared-calls.js';

/** What the use cases of endpoints need of the world. */
export type EndpointDeps = Pick<FlowDeps, 'sealer' | 'clock' | 'entropy' | 'announcer' | 'checkCallback' | 'publicUrl'> & {
  endpoints: EndpointStore;
  deliveries: Pick<DeliveryStore, 'insert' | 'get' | 'search' | 'redrive'>;
};

/** After a rotation the secrets before it sign for a day more: time for receivers to learn the new one. */
export const SECRET_OVERLAP_SECONDS = 86_400;
/** How many old secrets sign at most (Standard Webhooks: keep the header small). */
export const OLD_SECRETS = 10;

export type EndpointRefusal = { kind: 'not_allowed'; pointer: string; text: string } | { kind: 'unknown' } | { kind: 'disabled' };

/** A change of an endpoint that was looked at and can be made: at once, or once somebody has approved it. */
export type EndpointPlan =
  | { kind: 'create'; endpoint: EndpointRecord; secret: EndpointSecretRecord }
  | { kind: 'change'; id: string; change: EndpointChange }
  | { kind: 'rotate'; id: string; secret: EndpointSecretRecord }
  | { kind: 'delete'; id: string };

/** What registering an endpoint would make; its secret is told this once. */
export async function planEndpoint(
  deps: EndpointDeps,
  by: { tenant: string; person_id: string },
  body: EndpointBody,
): Promise<{ kind: 'planned'; plan: Extract<EndpointPlan, { kind: 'create' }>; secret: string } | EndpointRefusal> {
  const checked = deps.checkCallback(body.url);
  if (!checked.ok) return { kind: 'not_allowed', pointer: '/url', text: checked.reason };
  const at = deps.clock.now();
  const id = newId('ep', at, deps.entropy.bytes(10));
  const made = await makeSecret(deps, by.tenant, id);
  const endpoint: EndpointRecord = {
    tenant: by.tenant,
    id,
    kind: 'registered',
    url: body.url,
    description: body.description ?? null,
    events: body.events ?? ['outcome.settled', 'outcome.revoked'],
    format: body.format ?? 'standard',
    ...(await sealHeaders(deps, by.tenant, id, body.headers ?? {})),
    state: 'enabled',
    reason: null,
    since: at,
    failing_since: null,
    api_key_id: null,
    created_by: by.person_id,
    created_at: at,
    updated_at: at,
  };
  return { kind: 'planned', plan: { kind: 'create', endpoint, secret: made.record }, secret: made.secret };
}

/** What changing a registered endpoint would do; events under way go to the new address, in the format that they were written in. */
export async function planEndpointChange(
  deps: EndpointDeps,
  tenant: string,
  id: string,
  patch: EndpointPatch,
): Promise<{ kind: 'planned'; plan: EndpointPlan } | EndpointRefusal> {
  const { headers, url, description, events, format } = patch;
  const checked = url === undefined ? null : deps.checkCallback(url);
  if (checked !== null && !checked.ok) return { kind: 'not_allowed', pointer: '/url', text: checked.reason };
  const known = await deps.endpoints.get(tenant, id);
  if (known === null || known.kind !== 'registered') return { kind: 'unknown' };
  const change: EndpointChange = {
    ...(url === undefined ? {} : { url }),
    ...(description === undefined ? {} : { description }),
    ...(events === undefined ? {} : { events }),
    ...(format === undefined ? {} : { format }),
    ...(headers === undefined ? {} : await sealHeaders(deps, tenant, id, headers)),
  };
  return { kind: 'planned', plan: { kind: 'change', id, change } };
}

/** What a new secret would be. The old ones sign for SECRET_OVERLAP_SECONDS more, at most OLD_SECRETS of them. */
export async function planEndpointSecret(
  deps: EndpointDeps,
  tenant: string,
  id: string,
): Promise<{ kind: 'planned'; plan: EndpointPlan; secret: string } | EndpointRefusal> {
  const known = await deps.endpoints.get(tenant, id);
  if (known === null || known.kind !== 'registered') return { kind: 'unknown' };
  const made = await makeSecret(deps, tenant, id);
  return { kind: 'planned', plan: { kind: 'rotate', id, secret: made.record }, secret: made.secret };
}

/** Makes the change, with its leaf. Repeated, it changes nothing more. */
export async function applyEndpointPlan(
  deps: Pick<EndpointDeps, 'endpoints' | 'clock' | 'entropy' | 'sealer'>,
  tenant: string,
  by: string,
  plan: EndpointPlan,
): Promise<{ kind: 'done'; endpoint: EndpointRecord | null } | { kind: 'unknown' }> {
  const leaf = (subject: string, what: string, details: JsonObject) => endpointLeaf(deps, { tenant, by, subject, what, details });
  switch (plan.kind) {
    case 'create': {
      const { endpoint, secret } = plan;
      await deps.endpoints.insert(endpoint, secret, await leaf(endpoint.id, 'created', { ...endpointState(endpoint), secret: secret.id }));
      return { kind: 'done', endpoint };
    }
    case 'change': {
      const endpoint = await deps.endpoints.update(tenant, plan.id, plan.change, (after) => leaf(plan.id, 'changed', endpointState(after)));
      return endpoint === null ? { kind: 'unknown' } : { kind: 'done', endpoint };
    }
    case 'rotate': {
      const rule = { overlap_seconds: SECRET_OVERLAP_SECONDS, keep: OLD_SECRETS };
      const done = await deps.endpoints.addSecret(tenant, plan.id, plan.secret, rule, await leaf(plan.id, 'secret_rotated', { secret: plan.secret.id }));
      return done ? { kind: 'done', endpoint: null } : { kind: 'unknown' };
    }
    case 'delete':
      return (await deps.endpoints.remove(tenant, plan.id, await leaf(plan.id, 'deleted', {}))) ? { kind: 'done', endpoint: null } : { kind: 'unknown' };
  }
}

/** How changes of endpoints that a second person has approved are made. */
export function endpointAppliers(deps: Pick<EndpointDeps, 'endpoints' | 'clock' | 'entropy' | 'sealer'>): Appliers {
  const apply: Applier = async ({ tenant, payload, proposed_by }) => {
    const outcome = await applyEndpointPlan(deps, tenant, proposed_by.id, fromPayload<EndpointPlan>(payload));
    return outcome.kind === 'done' ? { kind: 'applied' } : { kind: 'failed', detail: 'There is no such endpoint any more.' };
  };
  return { 'endpoint.create': apply, 'endpoint.change': apply, 'endpoint.rotate': apply, 'endpoint.delete': apply };
}

/** What of an endpoint is recorded, and compared by the auditor; of its secrets and the values of its headers nothing. */
export function endpointState({
  url,
  description,
  events,
  format,
  header_names,
}: Pick<EndpointRecord, 'url' | 'description' | 'events' | 'format' | 'header_names'>) {
  return { url, description, events: [...events], format, header_names: [...header_names] };
}

function endpointLeaf(
  deps: Pick<EndpointDeps, 'clock' | 'entropy' | 'sealer'>,
  { tenant, by, subject, what, details }: { tenant: string; by: string; subject: string; what: string; details: JsonObject },
): Promise<LeafRecord> {
  return loneLeaf(deps, { tenant, event: 'endpoint.changed', subject, at: deps.clock.now(), facts: { what }, details: { by, ...details } });
}

/** Enables or disables. What is held goes out, in order, when it is enabled. */
export async function setEndpointState(
  deps: EndpointDeps,
  by: { tenant: string; person_id: string },
  id: string,
  state: EndpointRecord['state'],
): Promise<{ endpoint: EndpointRecord; deliveries: number } | null> {
  const leaf = await endpointLeaf(deps, { tenant: by.tenant, by: by.person_id, subject: id, what: state, details: {} });
  const set = await deps.endpoints.setState(by.tenant, id, state, state === 'disabled' ? 'administrator' : null, leaf);
  if (set !== null && state === 'enabled') deps.announcer.announce('deliveries');
  return set;
}

/** Sends an event that tells of nothing. It is one attempt, never repeated. */
export async function testEndpoint(deps: EndpointDeps, tenant: string, id: string, by: string): Promise<{ kind: 'sent'; delivery: string } | EndpointRefusal> {
  const endpoint = await deps.endpoints.get(tenant, id);
  if (endpoint === null || endpoint.kind !== 'registered') return { kind: 'unknown' };
  if (endpoint.state === 'disabled') return { kind: 'disabled' };
  const at = deps.clock.now();
  const delivery = newId('msg', at, deps.entropy.bytes(10));
  const bytes = callbackBytes(
    { type: 'endpoint.tested', timestamp: at, data: { endpoint: id } },
    { format: endpoint.format, id: delivery, source: deps.publicUrl, subject: id },
  );
  await deps.deliveries.insert(tenant, {
    id: delivery,
    request_id: id,
    api_key_id: by,
    target: { kind: 'endpoint', endpoint_id: id },
    sequence: 1,
    event: 'endpoint.tested',
    format: endpoint.format,
    created_at: at,
    sealed_body: await deps.sealer.seal({ tenant, table: 'deliveries', row: delivery, column: 'sealed_body' }, bytes),
  });
  deps.announcer.announce('deliveries');
  return { kind: 'sent', delivery };
}

/** Where events of a registered endpoint go now, with every secret in force. */
export async function endpointTarget(
  deps: Pick<EndpointDeps, 'endpoints' | 'sealer'>,
  tenant: string,
  id: string,
): Promise<{ kind: 'target'; target: { url: string; hmacSecrets: string[]; headers: Record<string, string> } } | { kind: 'held' | 'unknown'; detail: string }> {
  const endpoint = await deps.endpoints.get(tenant, id);
  if (endpoint === null) return { kind: 'unknown', detail: 'there is no such endpoint any more' };
  if (endpoint.state === 'disabled') return { kind: 'held', detail: 'the endpoint is disabled' };
  const secrets = await deps.endpoints.secrets(tenant, id);
  const hmacSecrets = await Promise.all(
    secrets.map(async (secret) => fromUtf8(await deps.sealer.open(secretContext(tenant, id, secret.id), secret.sealed_secret))),
  );
  // Sealed by sealHeaders alone: names with values.
  const headers =
    endpoint.sealed_headers === null
      ? {}
      : (JSON.parse(fromUtf8(await deps.sealer.open(headersContext(tenant, id), endpoint.sealed_headers))) as Record<string, string>);
  return { kind: 'target', target: { url: endpoint.url, hmacSecrets, headers } };
}

/** Sends one delivery again, as a new record; null where it may not go again. */
export async function redriveOne(deps: EndpointDeps, tenant: string, id: string): Promise<DeliveryView | null> {
  const [made] = await redriven(deps, tenant, [id]);
  return made === undefined ? null : deps.deliveries.get(tenant, made.id);
}

/** Sends again what fits the filter, the oldest first of those that it finds. */
export async function redriveMany(
  deps: EndpointDeps,
  tenant: string,
  filter: DeliveryFilter,
): Promise<{ data: { id: string; redrive_of: string }[]; more: boolean }> {
  const found = await deps.deliveries.search(tenant, filter);
  return {
    data: await redriven(
      deps,
      tenant,
      found.toReversed().map(({ id }) => id),
    ),
    more: found.length === filter.limit,
  };
}

async function redriven(deps: EndpointDeps, tenant: string, ids: readonly string[]): Promise<{ id: string; redrive_of: string }[]> {
  const at = deps.clock.now();
  const made = await deps.deliveries.redrive(
    tenant,
    ids.map((redrive_of) => ({ id: newId('msg', at, deps.entropy.bytes(10)), redrive_of })),
  );
  if (made.length > 0) deps.announcer.announce('deliveries');
  return made;
}

/** As answers show it: no secret, no header's value. */
export function endpointView(endpoint: EndpointRecord): EndpointView {
  const { id, kind, url, description, events, format, header_names, state, reason, since, failing_since, api_key_id, created_at, updated_at } = endpoint;
  return { id, kind, url, description, events, format, header_names, state, reason, since, failing_since, api_key_id, created_at, updated_at };
}

async function makeSecret(
  deps: Pick<EndpointDeps, 'clock' | 'entropy' | 'sealer'>,
  tenant: string,
  endpoint: string,
): Promise<{ secret: string; record: EndpointSecretRecord }> {
  const at = deps.clock.now();
  const id = newUuid(at, deps.entropy.bytes(10));
  const secret = `whsec_${base64(deps.entropy.bytes(32))}`;
  return { secret, record: { id, sealed_secret: await deps.sealer.seal(secretContext(tenant, endpoint, id), utf8(secret)), created_at: at, retires_at: null } };
}

async function sealHeaders(
  deps: Pick<EndpointDeps, 'sealer'>,
  tenant: string,
  id: string,
  headers: Record<string, string>,
): Promise<Pick<EndpointRecord, 'header_names' | 'sealed_headers'>> {
  const header_names = Object.keys(headers);
  return { header_names, sealed_headers: header_names.length === 0 ? null : await deps.sealer.seal(headersContext(tenant, id), utf8(canonicalJson(headers))) };
}

const secretContext = (tenant: string, endpoint: string, id: string): SealContext => ({
  tenant,
  table: 'endpoint_secrets',
  row: `${endpoint}/${id}`,
  column: 'sealed_secret',
});
const headersContext = (tenant: string, id: string): SealContext => ({ tenant, table: 'endpoints', row: id, column: 'sealed_headers' });
