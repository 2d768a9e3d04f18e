import { ADMINISTRATORS, type Authenticated, CONFIG_ACTION_PREFIX, type ConfigChangeView, type JsonObject, type PersonView } from '@countersign/contracts';
import { requestUrlOf } from '../card/url.js';
import type { ChangeCommit, ConfigChangeEnd, ConfigChangeRecord, ConfigChangeStore, Person, RequestState, SealContext } from '../ports.js';
import { CoreError } from '../errors.js';
import { base64url, canonicalJson, type Digest, digestOf, fromUtf8, newId, utf8 } from '../request/index.js';
import type { FlowDeps } from './deps.js';
import { openInternal } from './open-internal.js';
import { leafMaker, openPayload } from './record-key.js';
import { digestOfAction } from './settle.js';

/**
 * Changes of the configuration that somebody else has to approve: Countersign asks people as it asks them for others. A change is proposed
 * with exactly what would be put into effect (sealed), people see a masked summary of it on cards like any other, and once it is approved
 * the decisions worker puts it into effect, once, if it is byte for byte what was approved.
 */

/** `auto`: from the moment that there is a second active administrator. */
export type FourEyes = 'auto' | 'always' | 'off';

export type ConfigChangeDeps = FlowDeps & { configChanges: ConfigChangeStore; fourEyes: FourEyes };

export interface Proposer {
  tenant: string;
  person: Person;
  authenticated: Authenticated;
}

export interface ProposedChange {
  /** `policy.activate`: names the applier, and with `countersign.` before it the action. */
  kind: string;
  /** What it changes, for people: an id or a name. */
  resource: string;
  /** What the applier gets, to the byte. Ids of what is to be made stand in it, so that applying it twice makes one thing. */
  payload: JsonObject;
  /** What people see of it. Secrets do not belong here; what looks like one is masked. */
  summary: JsonObject;
  reason?: string;
  /** The group of which one member approves; absent: the administrators. Nobody approves a change of their own. */
  approvers?: string;
  /** Why it needs somebody, in a sentence; absent: that every change does. */
  because?: string;
}

export type Proposed = { kind: 'proposed'; change: ConfigChangeRecord } | { kind: 'frozen'; text: string };

/** How long people have to approve a change, and how long an approval may wait to be put into effect, in seconds. */
const DECIDE_SECONDS = 86_400;
const APPLY_SECONDS = 3_600;

/**
 * Who has to approve a change by this person: the group that is named, or the administrators where it has nobody else; null: nobody, for
 * the settings say so, or there is nobody who could.
 */
export async function secondPerson(
  deps: Pick<ConfigChangeDeps, 'configChanges' | 'fourEyes'>,
  by: Pick<Proposer, 'tenant' | 'person'>,
  group: string = ADMINISTRATORS,
): Promise<string | null> {
  if (deps.fourEyes === 'off') return null;
  for (const candidate of new Set([group, ADMINISTRATORS])) {
    if ((await deps.configChanges.othersIn(by.tenant, candidate, by.person.id)) > 0) return candidate;
  }
  return deps.fourEyes === 'always' ? group : null;
}

/** Proposes the change where it needs somebody else; where it does not, `free`: whoever asked puts it into effect at once. */
export async function gateChange(deps: ConfigChangeDeps, by: Proposer, change: ProposedChange): Promise<Proposed | { kind: 'free' }> {
  const approvers = await secondPerson(deps, by, change.approvers);
  return approvers === null ? { kind: 'free' } : proposeChange(deps, by, { ...change, approvers });
}

/** Asks for approval, whatever the settings say. */
export async function proposeChange(deps: ConfigChangeDeps, by: Proposer, change: ProposedChange): Promise<Proposed> {
  const at = deps.clock.now();
  const { tenant, person } = by;
  const id = newId('cc', at, deps.entropy.bytes(10));
  // Without the nonce, a guess at a short secret in the payload could be tried against the digest.
  const sealed = { nonce: base64url(deps.entropy.bytes(32)), payload: change.payload };
  const payload_digest = digestOf(sealed);
  const opened = await openInternal(deps, by, {
    at,
    submission: {
      action: `${CONFIG_ACTION_PREFIX}${change.kind}`,
      resource: { type: 'countersign', id: change.resource },
      parameters: { ...change.summary, change: id, payload_digest },
      actor: { type: 'person', id: person.email },
      ...(change.reason === undefined ? {} : { reason: change.reason }),
    },
    keep: ['/parameters/change', '/parameters/payload_digest', '/resource/id'],
    explanation: change.because ?? 'A change of the configuration needs a second person',
    rule: 'four-eyes',
    group: change.approvers ?? ADMINISTRATORS,
    timeout_seconds: DECIDE_SECONDS,
    use_within_seconds: APPLY_SECONDS,
    idempotency_key: id,
    change: async (request) => ({
      tenant,
      id,
      kind: change.kind,
      resource_id: change.resource,
      sealed_payload: await deps.sealer.seal(payloadContext(tenant, id), utf8(canonicalJson(sealed))),
      payload_digest,
      summary: withoutMarks(request.view.parameters ?? {}),
      proposed_by: { id: person.id, email: person.email, name: person.name },
      proposed_at: at,
      request_id: request.id,
      state: 'proposed',
      ended_at: null,
      detail: null,
      attempts: 0,
    }),
  });
  return opened.kind === 'frozen' ? opened : { kind: 'proposed', change: opened.change };
}

/** What an applier is told of an approved change. */
export interface ApprovedChange {
  tenant: string;
  id: string;
  payload: JsonObject;
  proposed_by: PersonView;
  approved_by: PersonView[];
  request_id: string;
}

/**
 * Puts a change of one kind into effect. It may be called again for the same change after a crash, and must then find out that it has
 * happened. `failed`: it cannot be, and nothing was changed; a fault that may pass is thrown, and tried again.
 */
export type Applier = (change: ApprovedChange) => Promise<{ kind: 'applied'; detail?: string } | { kind: 'failed'; detail: string }>;
export type Appliers = Readonly<Record<string, Applier>>;

/** How long a worker has for one change before another may take it up, in seconds. */
const LEASE_SECONDS = 60;
const BATCH = 20;
/** After so many tries that ended in faults a change is given up. */
const MAX_ATTEMPTS = 10;

/** Ends what is decided: puts approved changes into effect, closes the others. How many it ended; faults go to `onFault`, and are tried again. */
export async function settleChanges(deps: ConfigChangeDeps, appliers: Appliers, onFault: (error: unknown) => void): Promise<number> {
  let ended = 0;
  for (const target of await deps.configChanges.claim(BATCH, LEASE_SECONDS)) {
    try {
      if (await settleChange(deps, appliers, target)) ended += 1;
    } catch (error) {
      onFault(error);
    }
  }
  return ended;
}

async function settleChange(deps: ConfigChangeDeps, appliers: Appliers, { tenant, id }: { tenant: string; id: string }): Promise<boolean> {
  const change = await deps.configChanges.get(tenant, id);
  const state = change === null ? null : await deps.requests.state(tenant, change.request_id);
  if (change === null || state === null) throw new CoreError('payload_unreadable', `The change ${id} has no request.`);
  const { request } = state;
  const end = (ending: Omit<ConfigChangeEnd, 'at' | 'leaf'>, leaf: ConfigChangeEnd['leaf'] = null, at = deps.clock.now()) =>
    deps.configChanges.end(tenant, id, { ...ending, at, leaf });
  switch (request.status) {
    case 'pending':
      return false;
    case 'denied':
      return end({ state: 'denied', detail: null });
    case 'expired':
      return end({ state: 'expired', detail: null });
    case 'cancelled':
    case 'revoked':
      return end({ state: 'withdrawn', detail: null });
    case 'approved':
      break;
  }
  const { recordKey, submission } = await openPayload(deps.sealer, request);
  const leaf = leafMaker(deps, { tenant, subject: request.id, recordKey });
  const finish = async (result: { state: 'applied' | 'failed'; detail: string | null }): Promise<boolean> => {
    const at = deps.clock.now();
    const event = result.state === 'applied' ? 'config_change.applied' : 'config_change.failed';
    const ended = await end(result, leaf(event, at, { change: id, kind: change.kind }, { detail: result.detail }), at);
    if (ended) await report(deps, state, leaf, result);
    return ended;
  };
  const payload = await approvedPayload(deps, change, state, submission);
  if (payload === null) return finish({ state: 'failed', detail: 'What is stored is not what was approved.' });
  const applier = appliers[change.kind];
  if (applier === undefined) throw new CoreError('invalid_argument', `Nothing applies changes of the kind ${change.kind}.`);
  if (request.redeemed_at === null) {
    const begun = await begin(deps, change, state, leaf);
    if (begun === 'over') return end({ state: 'expired', detail: 'It was approved, and could not be put into effect in time.' });
    // Somebody revoked or froze it meanwhile: the next look says what happened.
    if (begun === 'not_now') return false;
  }
  const approved_by = state.decisions.filter(({ verdict }) => verdict === 'approve').map(({ person }) => person);
  let result: Awaited<ReturnType<Applier>>;
  try {
    result = await applier({ tenant, id, payload, proposed_by: change.proposed_by, approved_by, request_id: request.id });
  } catch (error) {
    if (change.attempts < MAX_ATTEMPTS) throw error;
    result = { kind: 'failed', detail: `It could not be put into effect, ${MAX_ATTEMPTS} times: ${error instanceof Error ? error.message : 'a fault'}` };
  }
  return finish({ state: result.kind, detail: result.detail ?? null });
}

/** The payload, if it is what the approved request names; null where anything differs. */
async function approvedPayload(
  deps: Pick<ConfigChangeDeps, 'sealer'>,
  change: ConfigChangeRecord,
  { request }: RequestState,
  submission: Parameters<typeof digestOfAction>[0],
): Promise<JsonObject | null> {
  const bytes = await deps.sealer.open(payloadContext(change.tenant, change.id), change.sealed_payload);
  // Sealed by proposeChange alone, and authenticated with its place.
  const sealed = JSON.parse(fromUtf8(bytes)) as { nonce: string; payload: JsonObject };
  const digest: Digest = digestOf(sealed);
  const { parameters = {} } = submission;
  const same =
    digest === change.payload_digest &&
    parameters['payload_digest'] === digest &&
    parameters['change'] === change.id &&
    submission.action === `${CONFIG_ACTION_PREFIX}${change.kind}` &&
    digestOfAction(submission) === request.action_digest;
  return same ? sealed.payload : null;
}

/** Spends the approval: from now on it cannot be revoked, and nobody else begins. A freeze keeps it from happening. */
async function begin(
  deps: ConfigChangeDeps,
  change: ConfigChangeRecord,
  state: RequestState,
  leaf: ReturnType<typeof leafMaker>,
): Promise<'begun' | 'over' | 'not_now'> {
  const { request, grant } = state;
  const at = deps.clock.now();
  const commit: ChangeCommit = {
    tenant: request.tenant,
    request_id: request.id,
    from: { version: request.version, status: 'approved' },
    time: { before: request.use_until ?? at },
    set: { redeemed_at: at, redeemed_by: COUNTERSIGN },
    cards: true,
    config_change: { kind: 'apply', id: change.id },
    leaves: [leaf('grant.redeemed', at, { grant: grant?.id ?? null }, { caller: COUNTERSIGN, action_digest: request.action_digest })],
  };
  const result = await deps.requests.change(commit);
  if (result.kind !== 'committed') return result.kind === 'time' ? 'over' : 'not_now';
  deps.announcer.announce('cards');
  return 'begun';
}

/** As any executor does, says on the request what came of it. */
async function report(
  deps: ConfigChangeDeps,
  before: RequestState,
  leaf: ReturnType<typeof leafMaker>,
  ended: { state: 'applied' | 'failed'; detail: string | null },
): Promise<void> {
  const { tenant, id } = before.request;
  const state = await deps.requests.state(tenant, id);
  if (state === null || state.report !== null || state.request.redeemed_at === null) return;
  const at = deps.clock.now();
  const result = ended.state === 'applied' ? 'succeeded' : 'failed';
  const { detail } = ended;
  await deps.requests.change({
    tenant,
    request_id: id,
    from: { version: state.request.version, status: state.request.status },
    time: 'any',
    set: {},
    report: { request_id: id, by: COUNTERSIGN, result, result_digest: null, detail, reported_at: at, fingerprint: COUNTERSIGN },
    cards: true,
    leaves: [leaf('execution.reported', at, { result }, { by: COUNTERSIGN, result_digest: null, detail }, 1)],
  });
  deps.announcer.announce('cards');
  deps.announcer.announce('decisions');
}

/** Who redeems and reports where Countersign itself does. */
const COUNTERSIGN = 'countersign';

/** As answers show it. */
export function configChangeView(change: ConfigChangeRecord, publicUrl: string): ConfigChangeView {
  const { id, kind, resource_id: resource, state, summary, proposed_by, proposed_at, request_id, ended_at, detail } = change;
  return {
    id,
    kind,
    resource,
    state,
    summary,
    proposed_by,
    proposed_at,
    action_request: request_id,
    url: requestUrlOf(publicUrl, request_id),
    ended_at,
    detail,
  };
}

/** The parameters without those that say which change it is. */
function withoutMarks({ change: _change, payload_digest: _digest, ...summary }: JsonObject): JsonObject {
  return summary;
}

const payloadContext = (tenant: string, id: string): SealContext => ({ tenant, table: 'config_changes', row: id, column: 'sealed_payload' });
