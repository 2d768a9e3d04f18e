import type { FreezeNotice, RefusalCode } from '@countersign/contracts';
import type { ChainLink } from '../ports.js';

/** Something that a person or caller may not do now: a value, with the same words in chat, web and API. */
export interface Refusal {
  kind: 'refused';
  code: RefusalCode;
  /** One or two sentences for the person refused: why, and what to do. */
  text: string;
}

export function refuse(code: RefusalCode, text: string): Refusal {
  return { kind: 'refused', code, text };
}

const roleWords: Record<ChainLink['role'], string> = {
  actor: 'you are the one who acts',
  on_behalf_of: 'it runs on your behalf',
  agent_owner: 'you own the agent that asks',
  owner_group: 'you are of the group that owns the agent that asks',
  key_owner: 'you own the API key that asked',
  token_human: 'you started the run that asked',
};

const viaWords: Record<string, string> = { slack: 'in Slack', teams: 'in Teams', web: 'in the web inbox', api: 'through the API', email: 'by e-mail' };

/** "A", "A or B", "A, B or C". */
function listed(names: readonly string[], word: 'and' | 'or'): string {
  const last = names.at(-1) ?? '';
  return names.length < 2 ? last : `${names.slice(0, -1).join(', ')} ${word} ${last}`;
}

export const refusals = {
  frozen: ({ id, reason, placed_at }: FreezeNotice) =>
    refuse(
      'frozen',
      `Frozen since ${placed_at} (${id}): ${reason.replace(/[.\s]+$/, '')}. Nothing runs until a second person lifts the freeze; denying still works.`,
    ),
  notFound: () => refuse('not_found', 'There is no such action request, or you may not see it.'),
  accountInactive: () => refuse('account_inactive', 'Your account is not active in the directory. Ask an administrator.'),
  accountNotLinked: (platform: string) =>
    refuse('account_not_linked', `This ${platform} account belongs to nobody in the directory. Ask an administrator to link it.`),
  deciderNotAllowed: () =>
    refuse('decider_not_allowed', 'This credential may not decide. Use your own session, or a personal token with the scope "decide" that you made signed in.'),
  selfApproval: (link: ChainLink, absent?: string) =>
    absent === undefined
      ? refuse('self_approval', `You cannot decide this request: ${roleWords[link.role]}. Somebody else has to.`)
      : refuse('self_approval', `You cannot decide this request for ${absent}, who stands behind it. Somebody else has to.`),
  notAnApprover: (needed: string) => refuse('not_an_approver', `You are not an approver of this request. Needed: ${needed}.`),
  alreadyDecided: (verdict: string, at: string) => refuse('already_decided', `You decided already (${verdict}, ${at}). One person decides once.`),
  alreadySettled: (what: string) => refuse('already_settled', `Too late: ${what}.`),
  actionMismatch: () => refuse('action_mismatch', 'The digest is not that of this request: what you looked at is not what would run. Load it again.'),
  policyChanged: (why: string) => refuse('policy_changed', `The policy changed since this was asked and denies it now: ${why}`),
  reasonRequired: (verdict: string) => refuse('reason_required', `Policy asks for a reason with "${verdict}". Give one.`),
  viaNotAllowed: (via: string, allowed: readonly string[]) =>
    refuse(
      'via_not_allowed',
      `Policy does not let this be decided ${viaWords[via] ?? `through ${via}`}. Decide it ${listed(
        allowed.map((name) => viaWords[name] ?? name),
        'or',
      )}.`,
    ),
  ticketRequired: (pattern: string) =>
    refuse('ticket_required', `Policy asks for a ticket with the approval, written like ${pattern}. Enter it on the request's page.`),
  ticketMissing: (field: string, pattern: string) =>
    refuse(
      'ticket_required',
      `Policy asks that the request names a ticket in ${field}, written like ${pattern}; it does not. The requester has to ask again with it.`,
    ),
  acknowledgementRequired: (text: string) =>
    refuse('acknowledgement_required', `Policy asks you to confirm, word for word: “${text}”. Do it on the request's page.`),
  mustOpen: () => refuse('must_open', 'Policy asks you to have seen everything first: open the whole request ("Show everything"), then approve.'),
  stepUpRequired: (why: string) => refuse('step_up_required', `${why} Open the request's page and approve there with your passkey.`),
  notADelegate: (why: string) => refuse('not_a_delegate', why),
  notBreakGlass: (why: string) => refuse('not_break_glass', why),
  tooEarly: (at: string, what: string) => refuse('too_early', `Not yet: ${what} from ${at} on.`),
  alikeNotAllowed: (why: string) => refuse('alike_not_allowed', why),
  bulkNotAllowed: () => refuse('bulk_not_allowed', 'Policy wants this request decided by itself, not together with others. Open it.'),
  counterNotAllowed: (why: string) => refuse('counter_not_allowed', why),
  delegationNotAllowed: (why: string) => refuse('delegation_not_allowed', why),
  notAReviewer: (why: string) => refuse('not_a_reviewer', why),
  alreadyReviewed: (who: string) => refuse('already_reviewed', `${who} has reviewed it already. A review is written once.`),
  alreadyAnswered: () => refuse('already_answered', 'This question was answered already.'),
  tooMany: (what: string) => refuse('too_many', what),
  notTheRequester: () => refuse('not_the_requester', 'Only the requester can do that.'),
  notApproved: (status: string) => refuse('not_approved', `There is no grant: the request is ${status}.`),
  approvalOver: () => refuse('approval_over', 'The time to use this approval is over. Ask again.'),
  grantRevoked: () => refuse('grant_revoked', 'The approval was revoked before it was used.'),
  grantRedeemed: (at: string) => refuse('grant_already_redeemed', `The grant was redeemed at ${at}. An approval runs one action once.`),
  notTheExecutor: () => refuse('not_the_executor', 'Only the caller that redeemed the grant reports what came of it.'),
  notRedeemed: () => refuse('not_redeemed', 'No grant of this request was redeemed: nothing ran that could be reported.'),
  alreadyReported: (at: string) => refuse('already_reported', `Another result was reported at ${at}. A result is reported once.`),
  notRevocable: (why: string) => refuse('not_revocable', `Nothing to revoke: ${why}.`),
} as const;
