import { outcomeText } from '../card/index.js';
import { namedGroups } from '../policy/quorum.js';
import type { ActionRequestRecord, ChainLink, DecisionRecord, NoticeRecord, OutcomeRecord, ReportRecord } from '../ports.js';
import type { Instant } from '../request/index.js';
import type { FlowDeps } from './deps.js';
import { noticeOf } from './notices.js';

/** Who wanted it themselves; who merely owns an agent or a key is not told of each outcome. */
const OWN: readonly ChainLink['role'][] = ['actor', 'on_behalf_of', 'token_human'];

/** Directory ids of the people behind a request: those who want it, and where it names none, those who answer for agent and key. */
export function peopleBehind(request: Pick<ActionRequestRecord, 'chain'>): string[] {
  const wanting = idsOf(request, (role) => OWN.includes(role));
  return wanting.length > 0 ? wanting : idsOf(request, () => true);
}

const idsOf = ({ chain }: Pick<ActionRequestRecord, 'chain'>, counts: (role: ChainLink['role']) => boolean): string[] => [
  ...new Set(chain.flatMap(({ role, person_id }) => (person_id !== null && counts(role) ? [person_id] : []))),
];

/** What a request is about, as people read it: masked. */
export const subjectOf = ({ view }: Pick<ActionRequestRecord, 'view'>): string => `${view.action} on ${view.resource.type} ${view.resource.id}`;

/**
 * What people are told of the end of a request that waited: whoever wanted it always; of one that nobody decided also those who were asked,
 * and whoever answers for it. What policy settles at once nobody waited for.
 */
export function settledNotices(
  deps: Pick<FlowDeps, 'entropy'>,
  request: ActionRequestRecord,
  settled: { outcome: OutcomeRecord; decisions: readonly DecisionRecord[]; at: Instant },
): NoticeRecord[] {
  const { outcome, decisions, at } = settled;
  if (request.status === outcome.status) return [];
  const sentence = outcomeText({ request, outcomes: [outcome], decisions: [...decisions], report: null }) ?? '';
  if (outcome.status === 'expired' || (outcome.status === 'denied' && !decisions.some(({ verdict }) => verdict === 'deny'))) {
    const groups = request.requirement === null ? [] : namedGroups(request.requirement).filter((group) => isAsked(request, group));
    return [noticeOf(deps, request, 'expired', at, { people: peopleBehind(request), groups, text: `${subjectOf(request)}: ${sentence}` })];
  }
  const people = idsOf(request, (role) => OWN.includes(role));
  return people.length === 0 ? [] : [noticeOf(deps, request, 'settled', at, { people, text: `${subjectOf(request)}: ${sentence}` })];
}

/** What came of the action, to whoever wanted it. */
export function reportedNotice(deps: Pick<FlowDeps, 'entropy'>, request: ActionRequestRecord, report: ReportRecord, at: Instant): NoticeRecord {
  const detail = report.detail === null ? '' : ` ${report.detail}`;
  return noticeOf(deps, request, 'reported', at, {
    people: idsOf(request, (role) => OWN.includes(role)),
    text: `${subjectOf(request)} ran: ${report.result}.${detail}`,
  });
}

/** Whether a stage asks the group; those of emergencies and reviews are told of an end by nobody. */
const isAsked = ({ requirement }: ActionRequestRecord, group: string): boolean =>
  requirement?.stages.some(({ all }) => all.some((asked) => asked.group === group || asked.escalate?.some(({ to }) => to === group) === true)) === true;
