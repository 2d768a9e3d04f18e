import { ADMINISTRATORS, type JsonObject, type PersonView, type PolicyActivation, type PolicyComparison, type PolicyOrigin } from '@countersign/contracts';
import { type BundleFile, type CompiledBundle, compileBundle, type PolicyProblem } from '../policy/index.js';
import type { ConfigChangeRecord, PolicyActivationRecord, PolicyStore } from '../ports.js';
import { type Applier, type ConfigChangeDeps, gateChange, type ProposedChange, type Proposer } from './config-change.js';
import { loneLeaf } from './lone-leaf.js';
import { comparePolicies } from './policy-compare.js';

export type PolicyControlDeps = ConfigChangeDeps & { bundles: PolicyStore };

/** Stores a bundle by its digest; it is not in force. */
export async function storePolicy(
  deps: Pick<PolicyControlDeps, 'bundles' | 'clock' | 'entropy' | 'sealer' | 'announcer'>,
  by: { tenant: string; who: string; details: JsonObject },
  files: readonly BundleFile[],
): Promise<{ kind: 'stored'; bundle: CompiledBundle } | { kind: 'invalid'; problems: PolicyProblem[] }> {
  const compiled = compileBundle(files);
  if (!compiled.ok) return { kind: 'invalid', problems: compiled.problems };
  const { bundle } = compiled;
  const leaf = await loneLeaf(deps, {
    event: 'policy.stored',
    at: deps.clock.now(),
    tenant: by.tenant,
    subject: bundle.digest,
    facts: { bundle: bundle.name, policy_digest: bundle.digest },
    details: by.details,
  });
  await deps.bundles.store({ tenant: by.tenant, digest: bundle.digest, canonical: bundle.canonical, by: by.who, leaf });
  deps.announcer.announce('decisions');
  return { kind: 'stored', bundle };
}

/** Puts a bundle in force, in all processes at once; `expect`: only where this one is in force still. */
export async function putInForce(
  deps: Pick<PolicyControlDeps, 'bundles' | 'clock' | 'entropy' | 'sealer' | 'announcer'>,
  tenant: string,
  bundle: Pick<CompiledBundle, 'digest' | 'canonical' | 'name'>,
  from: { by: string; origin: PolicyOrigin; expect?: string },
): Promise<{ changed: boolean }> {
  const { digest, canonical, name } = bundle;
  const { by, origin, expect } = from;
  const leaf = await loneLeaf(deps, {
    event: 'policy.activated',
    at: deps.clock.now(),
    tenant,
    subject: digest,
    facts: { bundle: name, policy_digest: digest, by, ...(origin.kind === 'git' ? { commit: origin.commit } : {}) },
    // Plain JSON without absent members.
    details: { origin: JSON.parse(JSON.stringify(origin)) as JsonObject },
  });
  const { changed } = await deps.bundles.activate({ tenant, digest, canonical, by, origin, leaf, ...(expect === undefined ? {} : { expect }) });
  if (changed) deps.announcer.announce('decisions');
  return { changed };
}

export type ActivateOutcome =
  | { kind: 'activated'; previous: string | null; comparison: PolicyComparison | null }
  | { kind: 'unchanged' }
  | { kind: 'proposed'; change: ConfigChangeRecord; previous: string; comparison: PolicyComparison }
  | { kind: 'unknown' }
  /** Another bundle was put in force meanwhile. */
  | { kind: 'conflict' }
  | { kind: 'frozen'; text: string };

/**
 * Activates a stored bundle for a person. What only tightens is in force at once; what may loosen needs the approval of the owner of the
 * bundle that is in force, or of another administrator where it names none (settings: FourEyes).
 */
export async function activatePolicy(
  deps: PolicyControlDeps,
  by: Proposer,
  target: { digest: string; reason?: string; how: 'api' | 'rollback' },
): Promise<ActivateOutcome> {
  const { tenant } = by;
  const { digest, reason } = target;
  const active = await deps.bundles.active(tenant);
  if ((await deps.bundles.canonical(tenant, digest)) === null) return { kind: 'unknown' };
  if (active?.digest === digest) return { kind: 'unchanged' };
  const next = await deps.policies.bundle(tenant, digest);
  const current = active === null ? null : await deps.policies.bundle(tenant, active.digest);
  const comparison = current === null ? null : await comparePolicies(deps, tenant, current, next);
  if (current !== null && comparison?.loosens === true) {
    const gate = await gateChange(deps, by, policyChange({ current, next, comparison, how: target.how, ...(reason === undefined ? {} : { reason }) }));
    if (gate.kind === 'frozen') return gate;
    if (gate.kind === 'proposed') return { kind: 'proposed', change: gate.change, previous: current.digest, comparison };
  }
  const origin: PolicyOrigin = { kind: target.how, person: viewOf(by.person), ...(reason === undefined ? {} : { reason }) };
  const { changed } = await putInForce(deps, tenant, next, { by: by.person.id, origin, ...(current === null ? {} : { expect: current.digest }) });
  return changed ? { kind: 'activated', previous: current?.digest ?? null, comparison } : { kind: 'conflict' };
}

const KIND = 'policy.activate';

/** The change that asks for a bundle to be put in force: its digest names it to the byte. */
export function policyChange(proposed: {
  current: CompiledBundle;
  next: CompiledBundle;
  comparison: PolicyComparison;
  how: 'api' | 'rollback';
  reason?: string;
}): ProposedChange {
  const { current, next, comparison, how, reason } = proposed;
  return {
    kind: KIND,
    resource: `policy ${next.name}`,
    payload: { policy_digest: next.digest, previous: current.digest, how, ...(reason === undefined ? {} : { reason }) },
    summary: {
      bundle: next.name,
      version: String(next.version),
      policy_digest: next.digest,
      in_force: current.digest,
      why_it_may_loosen: comparison.reasons,
      requests_replayed: comparison.replayed,
      transitions: comparison.transitions.map(({ from, to, direction, count }) => `${count} × ${from} → ${to} (${direction})`),
    },
    approvers: ownerGroup(current) ?? ADMINISTRATORS,
    because: 'A policy that may loosen what is in force needs the approval of the owner of the policy in force',
    ...(reason === undefined ? {} : { reason }),
  };
}

/** Puts an approved bundle in force, where what it was compared with is in force still. */
export function policyApplier(deps: Pick<PolicyControlDeps, 'bundles' | 'policies' | 'clock' | 'entropy' | 'sealer' | 'announcer'>): Applier {
  return async ({ tenant, id, payload, proposed_by, approved_by }) => {
    // Written by policyChange alone, and what was approved.
    const { policy_digest, previous, how, reason } = payload as { policy_digest: string; previous: string; how: 'api' | 'rollback'; reason?: string };
    const active = await deps.bundles.active(tenant);
    if (active?.digest === policy_digest) return { kind: 'applied', detail: `${policy_digest} is in force.` };
    const bundle = await deps.policies.bundle(tenant, policy_digest);
    const origin: PolicyOrigin = { kind: how, person: proposed_by, approved_by, change: id, ...(reason === undefined ? {} : { reason }) };
    const { changed } = await putInForce(deps, tenant, bundle, { by: proposed_by.id, origin, expect: previous });
    return changed
      ? { kind: 'applied', detail: `${policy_digest} is in force.` }
      : { kind: 'failed', detail: 'Another policy was put in force since this one was proposed. Propose it again.' };
  };
}

/** `group:payments-leads` names a group; another owner is for people to read. */
function ownerGroup({ owner }: Pick<CompiledBundle, 'owner'>): string | undefined {
  return owner?.startsWith('group:') === true ? owner.slice('group:'.length) : undefined;
}

/** As answers show it. */
export function activationView(record: PolicyActivationRecord, active: string | null, newest: boolean): PolicyActivation {
  const { digest, previous, activated_at, by, origin } = record;
  return { policy_digest: digest, previous, activated_at, activated_by: by, origin, in_force: newest && digest === active };
}

const viewOf = ({ id, email, name }: PersonView): PersonView => ({ id, email, name });
