import { count, cut, decisionText, oneLine, ruleText, stageText, time, titleOf, wholeText } from '@countersign/chat';
import type { Card, JsonObject } from '@countersign/contracts';
import {
  type Action,
  type AdaptiveCard,
  bold,
  box,
  button,
  bytesOf,
  type Element,
  heading,
  inOwnTime,
  line,
  link,
  note,
  openButton,
  runs,
  type TextRun,
} from './adaptive-card.js';

/** What the buttons of a card are called in an invoke, and the input whose text comes along. */
export const VERBS = { approve: 'approve', deny: 'deny', everything: 'everything', card: 'card' } as const;
export const REASON_INPUT = 'reason';
export const TICKET_INPUT = 'ticket';
/** Of each text to confirm, with its number; its value is the text itself. */
export const WORDS_INPUT = 'words_';
/** The most characters of a reason, as in the API. */
export const MOST_REASON = 2_000;

/**
 * Teams takes bot messages of 100 KB (UTF-16), earlier of 40 KB, and some of its roads only 28 KB; 25 KB pass everywhere.
 * Source: Microsoft Teams documentation, "Format your bot messages".
 */
export const MOST_BYTES = 25_000;

/**
 * The card as an Adaptive Card that Teams takes, whatever the request holds. What does not fit is cut with a note that says how much is
 * shown; a card that does not show the whole action says so. `told`: words for the one person who gets this copy.
 */
export function renderCard(card: Card, told: string | null = null): AdaptiveCard {
  for (const measure of MEASURES) {
    const rendered = cardBy(card, measure, told);
    if (bytesOf(rendered) <= MOST_BYTES) return rendered;
  }
  // The last measure shows neither parameters nor texts of any length, so that it always fits.
  return cardBy(card, { value: 0, values: 0, entries: 0 }, told);
}

/** What the one person gets who pressed where a passkey is needed: the way to the page, and back. */
export function stepUpCard(card: Card, text: string, label: string, url: string): AdaptiveCard {
  return {
    ...frame(card, [heading('Your passkey is needed'), line(runs(cut(card.headline, 600))), line(runs(text, { weight: 'bolder' }))]),
    actions: [openButton(label, url), button('Back to the card', VERBS.card, dataOf(card), { inputs: false })],
  };
}

/** The card as plain JSON, for previews. */
export function previewCard(card: Card): JsonObject {
  const json: JsonObject = JSON.parse(JSON.stringify(renderCard(card)));
  return json;
}

/** All that there is to see of a request, as far as a card can hold it, for the one person who asked. */
export const everythingCard = (card: Card): AdaptiveCard => everythingOf(card).shown;

function everythingOf(card: Card): { shown: AdaptiveCard; complete: boolean } {
  const whole = wholeText(card);
  const by = (shown: string): AdaptiveCard => {
    const complete = shown.length === whole.length;
    const where = complete
      ? `All ${count(whole.length)} characters`
      : `Characters 1 to ${count(shown.length)} of ${count(whole.length)}; the rest is in the browser`;
    const body: Element[] = [heading('Everything'), line([...runs(`${where}: `), ...link(card.url, card.url)]), box(shown)];
    if (!complete)
      body.push(line([...bold(`[continues: shown ${count(shown.length)} of ${count(whole.length)} characters] `), ...link(`Open ${card.url}`, card.url)]));
    return {
      ...frame(card, [...body, ...inputsOf(card)]),
      actions: [...decidingButtons(card), button('Back to the card', VERBS.card, dataOf(card), { inputs: false })],
    };
  };
  let [fits, above] = [0, whole.length + 1];
  while (above - fits > 1) {
    const middle = Math.floor((fits + above) / 2);
    if (bytesOf(by(cut(whole, middle))) <= MOST_BYTES) fits = middle;
    else above = middle;
  }
  const shown = cut(whole, fits);
  return { shown: by(shown), complete: shown.length === whole.length };
}

/** Whether that card holds all of it. */
export const showsEverything = (card: Card): boolean => everythingOf(card).complete;

/** How much is shown: characters of one value, parameters, and entries of the other lists. */
interface Measure {
  value: number;
  values: number;
  entries: number;
}

const MEASURES: readonly Measure[] = [
  { value: 20_000, values: 200, entries: 50 },
  { value: 8_000, values: 100, entries: 50 },
  { value: 3_000, values: 80, entries: 40 },
  { value: 1_200, values: 60, entries: 30 },
  { value: 600, values: 40, entries: 20 },
  { value: 300, values: 30, entries: 15 },
  { value: 150, values: 20, entries: 10 },
  { value: 80, values: 10, entries: 5 },
  { value: 40, values: 5, entries: 3 },
];

function cardBy(card: Card, measure: Measure, told: string | null): AdaptiveCard {
  /** Set once anything of the action was left out. */
  let partial = false;
  const shorten = (text: string): string => {
    if (text.length <= measure.value) return text;
    partial = true;
    const shown = cut(text, measure.value);
    return `${shown}…\n[continues: shown ${count(shown.length)} of ${count(text.length)} characters, use Show everything]`;
  };
  const shortLine = (text: string, limit = Math.max(40, Math.min(measure.value, 300))): string => {
    if (text.length > limit) partial = true;
    return text.length > limit ? `${oneLine(cut(text, limit))}… [continues: shown ${count(limit)} of ${count(text.length)} characters]` : oneLine(text);
  };
  const few = <T>(all: readonly T[], most: number, what: string): { shown: readonly T[]; rest: Element[] } => {
    if (all.length <= most) return { shown: all, rest: [] };
    partial = true;
    return { shown: all.slice(0, most), rest: [note(`[continues: shown ${count(most)} of ${count(all.length)} ${what}, use Show everything]`)] };
  };
  const labelled = (label: string, text: string): Element[] => [line(bold(label)), box(shorten(text))];

  const body: Element[] = [heading(titleOf(card))];
  if (told !== null) body.push(line(runs(cut(told, 600), { weight: 'bolder', color: 'good' })));
  if (card.notice !== null) body.push(note(oneLine(cut(card.notice, 500))));
  if (card.outcome !== null) body.push(line([...bold(shortLine(card.outcome.text, 600)), ...runs(` ${time(card.outcome.at)}`)]));
  body.push(line(runs(shortLine(card.headline, Math.max(300, measure.value)))));

  const warnings = few(card.warnings, measure.entries, 'warnings');
  for (const warning of warnings.shown) body.push(line([...runs('Beware: ', { weight: 'bolder', color: 'attention' }), ...runs(shortLine(warning, 500))]));
  body.push(...warnings.rest);

  const facts = few(card.facts, measure.entries, 'facts');
  for (const { label, value } of facts.shown) body.push(line([...bold(`${shortLine(label)}: `), ...runs(shortLine(value))]));
  body.push(...facts.rest);
  if (card.reason !== null) body.push(...labelled('Reason, as the caller gives it', card.reason));

  const parameters = few(card.parameters, measure.values, 'parameters');
  if (card.parameters.length > 0) {
    body.push(line(runs('Parameters, as the caller gives them'), { separator: true }));
    for (const { path, value } of parameters.shown) body.push(...labelled(shortLine(path, 200), value));
    body.push(...parameters.rest);
  }
  if (card.diff !== null) body.push(...labelled('What changes, as the caller says', card.diff));
  const links = few(card.links, Math.min(measure.entries, 10), 'links');
  if (links.shown.length > 0)
    body.push(line([...bold('Links of the caller: '), ...links.shown.flatMap((entry, index) => [...(index === 0 ? [] : runs(' · ')), ...linkOf(entry)])]));
  body.push(...links.rest);
  if (card.hidden !== null) body.push(note(oneLine(cut(card.hidden, 600))));

  body.push(line([...bold('Rule: '), ...runs(shortLine(ruleText(card), 600))], { separator: true }));
  const stages = few(card.stages, measure.entries, 'stages');
  for (const stage of stages.shown) body.push(line(runs(shortLine(stageText(stage), Math.max(300, measure.value)))));
  body.push(...stages.rest);
  if (card.waiting_for !== null) body.push(line([...bold('Needed: '), ...runs(shortLine(card.waiting_for, 400))]));
  const decisions = few(card.decisions, measure.entries, 'decisions');
  for (const decision of decisions.shown) body.push(line(runs(shortLine(decisionText(decision), Math.max(120, measure.value)))));
  body.push(...decisions.rest);
  if (card.open) body.push(line([...bold('Decide before '), ...runs(`${time(card.expires_at)}; after that it does not run.`)]), inOwnTime(card.expires_at));
  if (partial)
    body.push(
      line(
        bold(
          card.open
            ? 'This card does not show all of it. Press Show everything before you decide.'
            : 'This card does not show all of it: open it in the browser.',
        ),
      ),
    );
  body.push(line(link('Open in browser', card.url)), note(`${card.request_id} · asked ${time(card.created_at)} · request ${card.request_digest}`));

  const rendered = frame(card, [...body, ...inputsOf(card)]);
  return card.open
    ? { ...rendered, actions: [...decidingButtons(card), button('Show everything', VERBS.everything, dataOf(card), { inputs: false })] }
    : rendered;
}

function frame(card: Card, body: Element[]): AdaptiveCard {
  return { type: 'AdaptiveCard', version: '1.5', fallbackText: `${titleOf(card)}. This client cannot show the card: open ${card.url}`, body };
}

/** The buttons carry the request and its digest alone: what was shown is what is decided. */
function dataOf(card: Card): { request_id: string; request_digest: string } {
  return { request_id: card.request_id, request_digest: card.request_digest };
}

function decidingButtons(card: Card): Action[] {
  if (!card.open) return [];
  const { approve, deny } = card.reason_required;
  // Teams' client holds a press back while a required input is empty, so a button for which it is not required leaves the input out.
  return [
    button('Approve', VERBS.approve, dataOf(card), { inputs: approve || !deny || asksMore(card), style: 'positive' }),
    button('Deny', VERBS.deny, dataOf(card), { inputs: true, style: 'destructive' }),
  ];
}

/** Whether an approval takes something that the card asks for. */
const asksMore = ({ demands }: Card): boolean => demands !== undefined && demands.tickets.length + demands.acknowledge.length > 0;

/** Where a reason is written. Where only Approve needs one, the flow asks for it: Teams cannot tell the two buttons apart. */
function inputsOf(card: Card): Element[] {
  if (!card.open) return [];
  const { approve, deny } = card.reason_required;
  const label = approve && deny ? 'Reason' : deny ? 'Reason (needed to deny)' : approve ? 'Reason (needed to approve)' : 'Reason (may stay empty)';
  const { tickets = [], acknowledge = [] } = card.demands ?? {};
  return [
    // Required for Approve alone, which Teams cannot tell from Deny: the flow asks for them.
    ...(tickets.length === 0
      ? []
      : [
          {
            type: 'Input.Text' as const,
            id: TICKET_INPUT,
            label: cut(`Ticket (to approve), like ${tickets.join(' and ')}`, 500),
            isRequired: false,
            maxLength: 256,
          },
        ]),
    ...acknowledge.map((text, index) => ({
      type: 'Input.Toggle' as const,
      id: `${WORDS_INPUT}${String(index)}`,
      title: text,
      valueOn: text,
      valueOff: '',
      wrap: true as const,
    })),
    {
      type: 'Input.Text',
      id: REASON_INPUT,
      label,
      isMultiline: true,
      // A required reason would hold an approval back that needs none, once the card asks for more.
      isRequired: deny && !asksMore(card),
      errorMessage: 'Give a reason first.',
      maxLength: MOST_REASON,
      separator: true,
    },
  ];
}

/** A link shows the host that it leads to, whatever it calls itself. */
function linkOf(entry: Card['links'][number]): TextRun[] {
  const [title, host] = [oneLine(cut(entry.title, 80)), oneLine(cut(entry.host, 200))];
  return entry.url === '' || entry.url.length > 1_000 ? runs(`${title} (${host || 'no valid address'})`) : link(`${title} (${host})`, entry.url);
}
