import type { ActionRequest, ReportView } from '@countersign/contracts';
import { requestUrlOf } from '../card/url.js';
import type { ReportRecord, RequestState } from '../ports.js';
import { proposalView, questionView, reviewView } from './follow-ups.js';
import { decisionView } from './outcome.js';

/**
 * The wire form of a request. Everything is masked; `grant` is given by the caller of this function only where the
 * reader is the requesting caller and the grant is live.
 */
export function answerOf(state: RequestState, options: { publicUrl: string; grant: string | null }): ActionRequest {
  const { request, decisions, outcomes } = state;
  const { view } = request;
  const last = outcomes.at(-1);
  return {
    id: request.id,
    status: request.status,
    action_digest: request.action_digest,
    request_digest: request.request_digest,
    created_at: request.created_at,
    expires_at: request.expires_at,
    url: requestUrlOf(options.publicUrl, request.id),
    action: view.action,
    resource: view.resource,
    ...(view.parameters === undefined ? {} : { parameters: view.parameters }),
    actor: view.actor,
    ...(view.environment === undefined ? {} : { environment: view.environment }),
    ...(view.reason === undefined ? {} : { reason: view.reason }),
    ...(view.context === undefined ? {} : { context: view.context }),
    ...(view.purpose === undefined ? {} : { purpose: view.purpose }),
    requester: request.requester,
    masked: request.masked,
    evaluation: request.evaluation,
    requirement: request.requirement,
    decisions: decisions.map(decisionView),
    outcome: last === undefined ? null : options.grant === null ? last.data : { ...last.data, grant: options.grant },
    redeemed_at: request.redeemed_at,
    use_until: request.use_until,
    report: reportView(state.report),
    ...(state.questions.length === 0 ? {} : { questions: state.questions.map(questionView) }),
    ...(state.proposals.length === 0 ? {} : { proposals: state.proposals.map(proposalView) }),
    ...(state.reviews.length === 0 ? {} : { reviews: state.reviews.map(reviewView) }),
    ...(request.pattern === undefined ? {} : { pattern: request.pattern }),
    ...(state.freezes === undefined || state.freezes.length === 0 ? {} : { freezes: state.freezes }),
  };
}

/** A report as answers show it. */
export function reportView(report: ReportRecord | null): ReportView | null {
  if (report === null) return null;
  const { result, result_digest, detail, reported_at } = report;
  return { result, result_digest, detail, reported_at };
}
