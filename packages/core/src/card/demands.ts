import type { Card, JsonValue, Obligations, Requirement, Via } from '@countersign/contracts';
import type { RequestState } from '../ports.js';
import { addSeconds, type Instant } from '../request/instants.js';
import { listed } from './words.js';

/** How a card makes text of the request visible: in one line, or as it is. */
export interface Shower {
  text(value: string): string;
  line(value: string): string;
  value(value: JsonValue): string;
}

/** What policy demands and allows besides approvals, in words for every platform: label and sentence. */
export function demandFacts({ request, questions, proposals, reviews }: RequestState, show: Shower): [string, string][] {
  const { requirement, created_at } = request;
  const facts: [string, string][] = [];
  if (requirement !== null) facts.push(...requirementFacts(requirement, created_at as Instant));
  questions.forEach((question, index) => {
    const { person, text, answer } = question;
    facts.push([
      `Question ${index + 1}`,
      `${person.name}: ${show.line(text)} — ${answer === null ? 'not answered yet' : `${answer.by} answers: ${show.line(answer.text)}`}`,
    ]);
  });
  proposals.forEach(({ person, parameters, reason, accepted_as }, index) => {
    const why = reason === null ? '' : ` (${show.line(reason)})`;
    facts.push([
      `Counter-proposal ${index + 1}`,
      `${person.name}: ${show.line(valuesText(parameters))}${why}${accepted_as === null ? '' : ` — taken as ${accepted_as}`}`,
    ]);
  });
  for (const review of reviews) facts.push(['Review', reviewText(review)]);
  return facts;
}

function requirementFacts(requirement: Requirement, opened: Instant): [string, string][] {
  const { obligations, veto, via, delegation, break_glass, solo, on_timeout, counter } = requirement;
  const escalations = requirement.stages.flatMap((stage) =>
    stage.all.flatMap(({ group, escalate = [] }) =>
      escalate.map(({ after_seconds, to }) =>
        after_seconds === 0 ? `${to} counts for ${group} too` : `${to} in place of ${group} from ${addSeconds(opened, after_seconds)} on`,
      ),
    ),
  );
  const facts: [string, string | undefined][] = [
    ['Approving needs', obligationWords(obligations)],
    ['Veto', veto === undefined ? undefined : `One denial by ${listed(veto)} denies`],
    ['Escalates to', escalations.length === 0 ? undefined : escalations.join('; ')],
    ['Decided through', via === undefined || EVERYWHERE.every((channel) => via.includes(channel)) ? undefined : via.join(', ')],
    [
      'Stand-ins',
      delegation === undefined
        ? undefined
        : delegation.within === 'anyone'
          ? 'Whoever an absent approver has named'
          : 'Members of the same group whom an absent approver has named',
    ],
    ['Emergency', break_glass === undefined ? undefined : glassWords(break_glass)],
    [
      'Team of one',
      solo === undefined
        ? undefined
        : `Who stands behind it may approve it alone from ${addSeconds(opened, solo.after_seconds)} on, by passkey; it is marked as self-approved`,
    ],
    ['May be proposed otherwise', counter === undefined ? undefined : counter.join(', ')],
    ['At the end of the time', on_timeout === undefined ? undefined : 'It is denied'],
  ];
  return facts.flatMap(([label, value]) => (value === undefined ? [] : [[label, value] as [string, string]]));
}

/** Where these count there is nothing to say. */
const EVERYWHERE: readonly Via[] = ['email', 'slack', 'teams', 'web'];

function obligationWords(obligations: Obligations | undefined): string | undefined {
  if (obligations === undefined) return undefined;
  const { passkey, tickets = [], acknowledge = [], must_open } = obligations;
  const words = [
    ...(passkey === undefined ? [] : [`a passkey, at most ${passkey.fresh_seconds} seconds old`]),
    ...tickets.map(({ pattern, field }) => (field === undefined ? `a ticket like ${pattern}` : `a ticket like ${pattern} in the request's ${field}`)),
    ...acknowledge.map((text) => `your word: “${text}”`),
    ...(must_open === true ? ['that you opened everything first'] : []),
  ];
  return words.length === 0 ? undefined : words.join('; ');
}

function glassWords({ group, quorum, only, review_by, obligations }: NonNullable<Requirement['break_glass']>): string {
  const who = quorum === 1 ? `One member of ${group}` : `${quorum} members of ${group}`;
  const needs = obligationWords(obligations);
  return `${who} may let it pass alone${only === true ? ' (there is no other way)' : ''}, with a reason${needs === undefined ? '' : ` and ${needs}`}; ${review_by ?? 'somebody else'} reviews it`;
}

/** What a review says, in a sentence. */
function reviewText({ groups, due_at, finding, reviewed_by, note }: RequestState['reviews'][number]): string {
  if (finding === null) return `Broke the glass. A member of ${listed(groups)} has to review it until ${due_at}`;
  return `${reviewed_by?.name ?? ''} found it ${finding}: ${note ?? ''}`;
}

/** The same for those who can ask for it: the members of the card that inputs are made from. */
export function demandMembers({ request, questions, proposals, reviews }: RequestState, show: Shower): Partial<Card> {
  const { requirement } = request;
  const glass = requirement?.break_glass;
  return {
    ...(requirement?.obligations === undefined ? {} : { demands: inputsOf(requirement.obligations) }),
    ...(glass === undefined
      ? {}
      : { break_glass: { group: glass.group, quorum: glass.quorum, only: glass.only === true, ...inputsOf(glass.obligations ?? {}) } }),
    ...(requirement?.delegation === undefined ? {} : { stand_ins: true as const }),
    ...(requirement?.alike === undefined ? {} : { alike: requirement.alike }),
    ...(requirement?.counter === undefined ? {} : { counter: requirement.counter }),
    ...(questions.length === 0
      ? {}
      : {
          questions: questions.map(({ id, person, text, asked_at, answer }) => ({
            ...{ id, name: show.line(person.name), text: show.text(text), at: asked_at },
            answer: answer === null ? null : { by: show.line(answer.by), text: show.text(answer.text) },
          })),
        }),
    ...(proposals.length === 0
      ? {}
      : {
          proposals: proposals.map(({ id, person, parameters, reason, accepted_as }) => ({
            ...{ id, name: show.line(person.name), text: show.line(valuesText(parameters)), accepted_as },
            reason: reason === null ? null : show.text(reason),
          })),
        }),
    ...(reviews.length === 0
      ? {}
      : {
          reviews: reviews.map((review) => ({
            id: review.id,
            groups: review.groups,
            due_at: review.due_at,
            text: show.text(reviewText(review)),
            open: review.finding === null,
          })),
        }),
  };
}

function inputsOf({ tickets = [], acknowledge = [], must_open }: Obligations): NonNullable<Card['demands']> {
  return { tickets: tickets.flatMap(({ pattern, field }) => (field === undefined ? [pattern] : [])), acknowledge, must_open: must_open === true };
}

const valuesText = (parameters: { [path: string]: JsonValue }): string =>
  Object.entries(parameters)
    .map(([path, value]) => `${path} = ${JSON.stringify(value)}`)
    .join(', ');
