import type { PolicyComparison } from '@countersign/contracts';
import { CoreError } from '../errors.js';
import { type CompiledBundle, onlyTightens, type Transition, Transitions } from '../policy/index.js';
import type { RequestState } from '../ports.js';
import { addSeconds, type Instant } from '../request/index.js';
import type { FlowDeps } from './deps.js';
import { isInternal } from './internal.js';
import { policyInput } from './open.js';
import { openPayload } from './record-key.js';

/** How far back requests are replayed, in seconds, and how many of them at most: the latest. */
export interface ReplaySpan {
  seconds: number;
  requests: number;
}
const GATING: ReplaySpan = { seconds: 90 * 86_400, requests: 2_000 };
const PAGE = 200;
const EXAMPLES = 5;

/**
 * How another bundle compares with the one in force. It loosens unless both say otherwise: its text adds nothing but rules that deny or ask
 * for people, and none of the latest requests would have needed less under it.
 */
export async function comparePolicies(
  deps: Pick<FlowDeps, 'requests' | 'sealer' | 'clock'>,
  tenant: string,
  current: CompiledBundle,
  next: CompiledBundle,
  span: ReplaySpan = GATING,
): Promise<PolicyComparison> {
  const structure = onlyTightens(current.canonical, next.canonical);
  const { replayed, unread, transitions } = await replay(deps, tenant, current, next, span);
  const looser = transitions.filter(({ direction }) => direction === 'looser').reduce((sum, { count }) => sum + count, 0);
  const reasons = [
    ...structure,
    ...(looser === 0 ? [] : [`${looser} of the latest ${replayed} requests would have needed less.`]),
    ...(unread === 0 ? [] : [`${unread} of the latest requests could not be read again.`]),
  ];
  return { from: current.digest, to: next.digest, loosens: reasons.length > 0, reasons, replayed, transitions };
}

interface Replay {
  replayed: number;
  unread: number;
  transitions: Transition[];
}

/** Evaluates both bundles on the latest requests, each as of when it was asked; nothing is stored. */
async function replay(
  deps: Pick<FlowDeps, 'requests' | 'sealer' | 'clock'>,
  tenant: string,
  current: CompiledBundle,
  next: CompiledBundle,
  span: ReplaySpan,
): Promise<Replay> {
  const transitions = new Transitions(EXAMPLES);
  let [replayed, unread] = [0, 0];
  for await (const { request } of latest(deps, tenant, span)) {
    // Of Countersign's own changes no bundle speaks.
    if (isInternal(request)) continue;
    const payload = await openPayload(deps.sealer, request).catch((error: unknown) => {
      // Erased, as its subject asked: it cannot be replayed, and is no fault.
      if (error instanceof CoreError && error.code === 'payload_unreadable') return null;
      throw error;
    });
    if (payload === null) {
      if (request.sealed_payload.length > 0) unread += 1;
      continue;
    }
    replayed += 1;
    const input = {
      ...policyInput(payload.submission, request.resolved.environment, request.created_at as Instant, request.requester),
      ...payload.circumstances,
    };
    transitions.add(request.id, current.evaluate(input), next.evaluate(input));
  }
  return { replayed, unread, transitions: transitions.all() };
}

async function* latest({ requests, clock }: Pick<FlowDeps, 'requests' | 'clock'>, tenant: string, span: ReplaySpan): AsyncGenerator<RequestState> {
  const from = addSeconds(clock.now(), -span.seconds);
  let before: { created_at: string; id: string } | undefined;
  for (let read = 0; read < span.requests; read += PAGE) {
    const page = await requests.list(tenant, { limit: PAGE, from, reader: { kind: 'all' }, ...(before === undefined ? {} : { before }) });
    yield* page;
    const last = page.at(-1)?.request;
    if (page.length < PAGE || last === undefined) return;
    before = { created_at: last.created_at, id: last.id };
  }
}
