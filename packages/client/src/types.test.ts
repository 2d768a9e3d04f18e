import { expect, test } from '@jest/globals';
import type * as contracts from '@countersign/contracts';
import type * as ours from './types.js';

/** Whether two types are assignable to each other. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

test('the types that callers see are the contract', () => {
  // The compiler judges; the test runs so that nobody takes the file for dead.
  const same: true[] = [
    true satisfies Same<ours.ActionRequest, contracts.ActionRequest>,
    true satisfies Same<ours.Outcome, contracts.OutcomeData>,
    true satisfies Same<ours.RedeemAnswer, contracts.RedeemAnswer>,
    true satisfies Same<ours.GrantClaims, contracts.GrantClaims>,
    true satisfies Same<ours.Report, contracts.ReportBody>,
    true satisfies Same<Omit<ours.Action, 'parameters'>, Omit<contracts.Action, 'parameters'>>,
  ];
  // Callers may pass interfaces, which have no index signature; every contract's submission is ours too.
  const wider = (submission: contracts.Submission): ours.Action & ours.SubmissionExtras => submission;
  expect([...same, wider({ action: 'a', resource: { type: 'b', id: 'c' }, actor: { type: 'd', id: 'e' } }).action]).toContain('a');
});
