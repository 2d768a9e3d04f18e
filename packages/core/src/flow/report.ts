import type { ReportAnswer, ReportBody } from '@countersign/contracts';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { type Refusal, refusals } from '../decision/index.js';
import { CoreError } from '../errors.js';
import { maskText } from '../masking/index.js';
import type { Caller, ChangeCommit, ReportRecord, RequestState } from '../ports.js';
import { canonicalJson, hex, utf8 } from '../request/index.js';
import { type FlowDeps, MAX_PLANS } from './deps.js';
import { leafMaker, openPayload } from './record-key.js';
import { isAudience } from './redeem.js';
import { reportedNotice } from './settled-notices.js';

export type ReportOutcome = { kind: 'reported'; answer: ReportAnswer; replayed: boolean } | Refusal;

/**
 * What came of the action, as whoever redeemed its grant says: onto the timeline, the card and the ledger, once. The same report again
 * answers the same; another one is refused.
 */
export async function report(deps: FlowDeps, caller: Caller, request_id: string, body: ReportBody): Promise<ReportOutcome> {
  for (let plans = 0; plans < MAX_PLANS; plans++) {
    const state = await deps.requests.state(caller.tenant, request_id);
    if (state === null || !knows(deps, caller, state)) return refusals.notFound();
    const { request } = state;
    if (request.redeemed_at === null) return refusals.notRedeemed();
    if (request.redeemed_by !== caller.key_id) return refusals.notTheExecutor();
    const { recordKey } = await openPayload(deps.sealer, request);
    const fingerprint = `hmac-sha256:${hex(hmac(sha256, recordKey, utf8(canonicalJson(body))))}`;
    if (state.report !== null) {
      if (state.report.fingerprint !== fingerprint) return refusals.alreadyReported(state.report.reported_at);
      return { kind: 'reported', answer: answerOf(state.report), replayed: true };
    }
    const at = deps.clock.now();
    const reported: ReportRecord = {
      request_id,
      by: caller.key_id,
      result: body.result,
      result_digest: body.result_digest ?? null,
      detail: body.detail === undefined ? null : maskText(body.detail, { paths: [], key: deps.entropy.bytes(32) }).masked,
      reported_at: at,
      fingerprint,
    };
    const { result, result_digest, detail } = reported;
    const leaf = leafMaker(deps, { tenant: request.tenant, subject: request_id, recordKey });
    const commit: ChangeCommit = {
      tenant: request.tenant,
      request_id,
      from: { version: request.version, status: request.status },
      time: 'any',
      set: {},
      report: reported,
      notices: [reportedNotice(deps, request, reported, at)],
      cards: true,
      leaves: [leaf('execution.reported', at, { result }, { by: caller.key_id, result_digest, detail })],
    };
    if ((await deps.requests.change(commit)).kind === 'committed') {
      deps.announcer.announce('cards');
      deps.announcer.announce('decisions');
      return { kind: 'reported', answer: answerOf(reported), replayed: false };
    }
  }
  throw new CoreError('contention', `${request_id} changed ${MAX_PLANS} times while its result was being reported.`);
}

/** Whoever asked, redeemed or may redeem knows that there is such a request. */
function knows(deps: FlowDeps, caller: Caller, { request }: RequestState): boolean {
  return request.requester.id === caller.key_id || request.redeemed_by === caller.key_id || isAudience(request.grant_audience, caller, request, deps);
}

function answerOf({ request_id, result, result_digest, detail, reported_at }: ReportRecord): ReportAnswer {
  return { action_request: request_id, result, result_digest, detail, reported_at };
}
