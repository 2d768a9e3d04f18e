import type { ChangeCommit, DecisionRecord, RequestState } from '@countersign/core/ports';
import type { MemoryStore, Watcher } from './memory-store.js';

export type PolicyName = 'quickstart' | 'denies' | 'stricter';

/** What the clients were told. */
export interface Journal {
  opened: { key: string; id: string }[];
  decided: { request: string; decision: string; verdict: 'approve' | 'deny'; wrong: boolean; may_decide: boolean }[];
  redeemed: { request: string; other: boolean; grant: string }[];
  revoked: string[];
  cancelled: string[];
}

/** Which groups approve what: the places that different people fill. Written by hand, so that core does not judge itself. */
const PLACES: Record<string, Record<PolicyName, readonly string[] | 'never'>> = {
  'data.export': { quickstart: ['data-owners'], denies: 'never', stricter: ['data-owners', 'security'] },
  'iam.grant': { quickstart: ['data-owners', 'security'], denies: ['data-owners', 'security'], stricter: ['data-owners', 'security'] },
};
/** The person who owns the agent and the API key of every request. */
const BEHIND = 'per_dana';

/** Judges each change as it commits. */
export class CommitJudge implements Watcher {
  readonly violations: string[] = [];

  constructor(private readonly policies: ReadonlyMap<string, PolicyName>) {}

  committed(commit: ChangeCommit, before: RequestState, now: { ms: number; policy: string }): void {
    const nowMs = now.ms;
    const { request } = before;
    const say = (rule: string, what: string): void => void this.violations.push(`${rule}: ${request.id}: ${what}`);
    const to = commit.set.status;
    if (to !== undefined && request.status !== 'pending') {
      if (to !== 'revoked' || request.status !== 'approved') say('I2', `${request.status} became ${to}`);
      if (request.redeemed_at !== null) say('I2', 'a redeemed approval was revoked');
    }
    if (to === 'revoked' && request.status === 'pending') say('I2', 'what was not approved was revoked');
    if (to === 'expired' && Date.parse(request.expires_at) > nowMs) say('I2', 'it expired before its time');
    if (commit.decision !== undefined) this.#decision(commit.decision, before, nowMs, say);
    if (to === 'approved') this.#approval(commit, before, now.policy, say);
    if (commit.set.redeemed_at !== undefined) {
      if (request.redeemed_at !== null) say('I9', 'it was redeemed again');
      if (request.status !== 'approved') say('I9', `it was redeemed though ${request.status}`);
      if (typeof commit.time !== 'object' || Date.parse(commit.time.before) <= nowMs) say('I9', 'it was redeemed after its time');
      if (request.use_until === null || Date.parse(request.use_until) <= nowMs) say('I9', 'it was redeemed after the approval was over');
    }
    if (to !== undefined && (commit.outcome?.status !== to || commit.leaves.length === 0)) say('I4', `it became ${to} without outcome or leaf`);
  }

  #decision(decision: DecisionRecord, before: RequestState, nowMs: number, say: (rule: string, what: string) => void): void {
    const { request } = before;
    if (decision.person.id === BEHIND) say('I3', 'the person behind it decided it');
    if (before.decisions.some(({ person }) => person.id === decision.person.id)) say('I3', `${decision.person.id} decided it twice`);
    if (request.status !== 'pending') say('I2', `it was decided though ${request.status}`);
    if (Date.parse(request.expires_at) <= nowMs) say('I2', 'it was decided after its time');
    if (decision.request_digest !== request.request_digest) say('I3', 'another request was decided');
    if (!this.policies.has(decision.policy_digest)) say('I3', 'the decision names no policy');
  }

  #approval(commit: ChangeCommit, before: RequestState, inForce: string, say: (rule: string, what: string) => void): void {
    const { request } = before;
    const approvals = [...before.decisions, ...(commit.decision === undefined ? [] : [commit.decision])].filter(({ verdict }) => verdict === 'approve');
    for (const digest of [request.policy_digest, inForce]) {
      const policy = this.policies.get(digest);
      const places = policy === undefined ? undefined : PLACES[request.view.action]?.[policy];
      // A pinned policy that denies never opens a request; one that lets pass leaves the pinned requirement.
      if (places === undefined || policy === undefined) say('I17', `it was approved under ${digest}`);
      else if (places === 'never' ? digest === inForce : !filled(places, approvals)) say('I3', `it was approved against ${policy}`);
    }
    if (commit.active_policy === undefined || commit.decision === undefined) say('I17', 'it was approved without a decision under a policy in force');
  }
}

/** Whether different people fill all places. Two places at most, so trying every assignment is short. */
function filled(places: readonly string[], approvals: readonly DecisionRecord[]): boolean {
  const [place, ...rest] = places;
  if (place === undefined) return true;
  return approvals.some(
    (approval) =>
      approval.groups.includes(place) &&
      filled(
        rest,
        approvals.filter(({ person }) => person.id !== approval.person.id),
      ),
  );
}

/** Judges what is there at the end against what clients were told. */
export function checkEnd(store: MemoryStore, journal: Journal): string[] {
  const violations: string[] = [];
  const say = (rule: string, id: string, what: string): void => void violations.push(`${rule}: ${id}: ${what}`);
  const byKey = new Map<string, string>();
  for (const { key, id } of journal.opened) {
    if (!store.states.has(id)) say('I1', id, 'it was acknowledged and is not there');
    if ((byKey.get(key) ?? id) !== id) say('I1', id, `${key} opened ${byKey.get(key)} too`);
    byKey.set(key, id);
  }
  if (store.states.size !== store.keys.size) say('I1', 'store', `${store.keys.size} keys have ${store.states.size} requests`);
  for (const state of store.states.values()) checkRequest(store, state, (rule, what) => say(rule, state.request.id, what));
  for (const { request, decision } of journal.decided) {
    if (store.states.get(request)?.decisions.some(({ id }) => id === decision) !== true) say('I1', decision, 'a decision was acknowledged and is not there');
  }
  for (const { decision, wrong, may_decide } of journal.decided) if (wrong || !may_decide) say('I3', decision, 'it should have been refused');
  for (const { request, other } of journal.redeemed) {
    if (other) say('I9', request, 'it was redeemed for another action');
    if (store.states.get(request)?.request.redeemed_at == null) say('I9', request, 'a redemption was acknowledged and is not there');
  }
  const redeemed = journal.redeemed.map(({ request }) => request);
  for (const id of redeemed) if (redeemed.filter((other) => other === id).length > 1) say('I9', id, 'two were told that they redeemed it');
  for (const id of journal.revoked) if (store.states.get(id)?.request.status !== 'revoked') say('I2', id, 'a revocation was acknowledged and is not there');
  for (const id of journal.cancelled)
    if (store.states.get(id)?.request.status !== 'cancelled') say('I2', id, 'a cancellation was acknowledged and is not there');
  return violations;
}

function checkRequest(store: MemoryStore, { request, decisions, outcomes, grant }: RequestState, say: (rule: string, what: string) => void): void {
  const leaves = store.leaves.filter(({ subject }) => subject === request.id).map(({ event }) => event);
  const count = (event: string): number => leaves.filter((each) => each === event).length;
  const statuses = outcomes.map(({ status }) => status);
  const expected = request.status === 'pending' ? [] : request.status === 'revoked' ? ['approved', 'revoked'] : [request.status];
  if (statuses.join() !== expected.join()) say('I2', `it is ${request.status} with the outcomes ${statuses.join()}`);
  if (outcomes.some(({ sequence }, index) => index > 0 && sequence <= (outcomes[index - 1]?.sequence ?? 0))) say('I2', 'its sequence does not rise');
  if (count('action_request.opened') !== 1) say('I4', `it has ${count('action_request.opened')} leaves of its opening`);
  if (count('decision.recorded') !== decisions.length) say('I4', 'decisions and their leaves differ');
  if (count('outcome.settled') !== (expected.length > 0 ? 1 : 0)) say('I4', 'the outcome and its leaf differ');
  if (count('outcome.revoked') !== (request.status === 'revoked' ? 1 : 0)) say('I4', 'the revocation and its leaf differ');
  if (count('grant.redeemed') !== (request.redeemed_at === null ? 0 : 1)) say('I9', `it has ${count('grant.redeemed')} leaves of a redemption`);
  if (statuses.includes('approved') !== (grant !== null)) say('I4', 'approval and grant differ');
  const deliveries = store.deliveries.filter(({ request_id }) => request_id === request.id);
  const told = deliveries.filter(({ event }) => event === 'outcome.settled' || event === 'outcome.revoked').map(({ sequence }) => sequence);
  const wanted = request.callback === null ? [] : outcomes.map(({ sequence }) => sequence);
  if (told.join() !== wanted.join()) say('I4', `outcomes ${wanted.join()} have the deliveries ${told.join()}`);
  const all = deliveries.map(({ sequence }) => sequence);
  if (request.callback !== null && all.some((sequence, index) => sequence !== index + 1)) say('I4', `its deliveries are numbered ${all.join()}`);
  if (request.status === 'revoked' && deliveries.some(({ id, sequence }) => sequence < (told.at(-1) ?? 0) && !store.superseded.has(id)))
    say('I4', 'a revocation waits behind an event');
  const people = decisions.map(({ person }) => person.id);
  if (new Set(people).size !== people.length) say('I3', 'somebody decided it twice');
}
