import type { RefusalCode } from '@countersign/contracts';
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
  key_owner: 'you own the API key that asked',
  token_human: 'you started the run that asked',
};

export const refusals = {
  notFound: () => refuse('not_found', 'There is no such action request, or you may not see it.'),
  accountInactive: () => refuse('account_inactive', 'Your account is not active in the directory. Ask an administrator.'),
  accountNotLinked: (platform: string) =>
    refuse('account_not_linked', `This ${platform} account belongs to nobody in the directory. Ask an administrator to link it.`),
  deciderNotAllowed: () => refuse('decider_not_allowed', 'This credential may not decide. Use your own session, or a personal token with the scope "decide".'),
  selfApproval: (link: ChainLink) => refuse('self_approval', `You cannot decide this request: ${roleWords[link.role]}. Somebody else has to.`),
  notAnApprover: (needed: string) => refuse('not_an_approver', `You are not an approver of this request. Needed: ${needed}.`),
  alreadyDecided: (verdict: string, at: string) => refuse('already_decided', `You decided already (${verdict}, ${at}). One person decides once.`),
  alreadySettled: (what: string) => refuse('already_settled', `Too late: ${what}.`),
  actionMismatch: () => refuse('action_mismatch', 'The digest is not that of this request: what you looked at is not what would run. Load it again.'),
  policyChanged: (why: string) => refuse('policy_changed', `The policy changed since this was asked and denies it now: ${why}`),
  reasonRequired: (verdict: string) => refuse('reason_required', `Policy asks for a reason with "${verdict}". Give one.`),
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
