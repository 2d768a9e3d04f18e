import { type Refusal, refusals } from '../decision/index.js';
import { namedGroups } from '../policy/quorum.js';
import type { SnoozeStore } from '../ports.js';
import { waitingNow } from './decide.js';
import type { FlowDeps } from './deps.js';
import { noticeOf } from './notices.js';
import { eligibleApprover } from './questions.js';
import { leafMaker, openPayload } from './record-key.js';
import { tooLate } from './settle.js';

export type StandAsideOutcome = { kind: 'aside'; again: boolean; waiting_for: string | null } | Refusal;

/**
 * An approver says that they will not decide a request: they get no more messages about it, and the others who are asked are told, so that
 * nobody waits for them. It decides nothing and takes no right away; a ledger entry, once.
 */
export async function standAside(
  deps: FlowDeps & { snoozes: Pick<SnoozeStore, 'set' | 'of'> },
  by: { tenant: string; person_id: string },
  request_id: string,
): Promise<StandAsideOutcome> {
  const context = await deps.requests.decidingContext({ tenant: by.tenant, request_id, person_id: by.person_id });
  if (context === null) return refusals.notFound();
  const approver = eligibleApprover(context, by.person_id);
  if ('kind' in approver) return approver;
  const { request, decisions } = context;
  const decided = decisions.find(({ person }) => person.id === approver.id);
  if (decided !== undefined) return refusals.alreadyDecided(decided.verdict, decided.decided_at);
  const waiting_for = waitingNow(context);
  const before = await deps.snoozes.of(by.tenant, request_id, approver.id);
  if (before !== null && before.until === null) return { kind: 'aside', again: true, waiting_for };
  const at = deps.clock.now();
  const { recordKey } = await openPayload(deps.sealer, request);
  const leaf = leafMaker(deps, { tenant: by.tenant, subject: request_id, recordKey });
  const { id, email, name } = approver;
  const still = waiting_for === null ? '' : ` Still needed: ${waiting_for}.`;
  const set = await deps.snoozes.set(
    { tenant: by.tenant, request_id, person_id: id, until: null },
    {
      leaves: [leaf('approver.stood_aside', at, {}, { person: { id, email, name } })],
      notices: [
        noticeOf(deps, request, 'not_me', at, {
          groups: request.requirement === null ? [] : namedGroups(request.requirement).filter((group) => approver.groups.includes(group)),
          text: `${name} will not decide ${request.view.action}: it is not for them.${still}`,
        }),
      ],
    },
  );
  if (!set) return tooLate(context, null);
  for (const topic of ['cards', 'decisions'] as const) deps.announcer.announce(topic);
  return { kind: 'aside', again: false, waiting_for };
}
