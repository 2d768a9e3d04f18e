import {
  CARD_MEASURES,
  count,
  cut,
  decisionText,
  type Measure,
  oneLine,
  OPEN_FIRST,
  parameterBoxes,
  ruleText,
  stageText,
  time,
  titleOf,
} from '@countersign/chat';
import type { Card, JsonObject } from '@countersign/contracts';
import { type AdaptiveCard, bold, box, bytesOf, type Element, heading, inOwnTime, line, link, note, runs, type TextRun } from './adaptive-card.js';
import { buttonsOf, inputsOf } from './buttons.js';

/**
 * Teams takes bot messages of 100 KB (UTF-16), earlier of 40 KB, and some of its roads only 28 KB; 25 KB pass everywhere.
 * Source: Microsoft Teams documentation, "Format your bot messages".
 */
export const MOST_BYTES = 25_000;

/**
 * The card as an Adaptive Card that Teams takes, whatever the request holds. What does not fit is cut with a note that says how much is
 * shown; a card that does not show the whole action says so. `told`: words for the one person who gets this copy.
 */
export function renderCard(card: Card, told: string | null = null, { decides = true, dialogs = true, refresh }: View = {}): AdaptiveCard {
  const more = refresh === undefined ? {} : { refresh };
  for (const measure of CARD_MEASURES) {
    const rendered = { ...cardBy(card, measure, told, { decides, dialogs }), ...more };
    if (bytesOf(rendered) <= MOST_BYTES) return rendered;
  }
  // The last measure shows neither parameters nor texts of any length, so that it always fits.
  return { ...cardBy(card, { value: 0, values: 0, entries: 0 }, told, { decides, dialogs }), ...more };
}

/** For whom a card is drawn. */
export interface View {
  /** False: for somebody who may not decide. */
  decides?: boolean;
  /** False: for a client without dialogs. */
  dialogs?: boolean;
  refresh?: NonNullable<AdaptiveCard['refresh']>;
}

/** The card as plain JSON, for previews. */
export function previewCard(card: Card): JsonObject {
  const json: JsonObject = JSON.parse(JSON.stringify(renderCard(card)));
  return json;
}

function cardBy(card: Card, measure: Measure, told: string | null, { decides, dialogs }: { decides: boolean; dialogs: boolean }): AdaptiveCard {
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
    for (const { path, text } of parameterBoxes(parameters.shown)) body.push(...(path === null ? [box(shorten(text))] : labelled(shortLine(path, 200), text)));
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
  for (const stage of stages.shown) body.push(line(runs(shortLine(stageText(stage, card), Math.max(300, measure.value)))));
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
  if (decides && card.open && card.open_first === true) body.push(line(bold(OPEN_FIRST)));
  body.push(line(link('Open in browser', card.url)), note(`${card.request_id} · asked ${time(card.created_at)} · request ${card.request_digest}`));

  const rendered = frame(card, [...body, ...(decides ? inputsOf(card) : [])]);
  const actions = buttonsOf(card, partial, { decides, dialogs });
  return actions.length === 0 ? rendered : { ...rendered, actions };
}

/** A card of ours about a request, with the words that a client without cards shows. */
export function frame(card: Card, body: Element[]): AdaptiveCard {
  return { type: 'AdaptiveCard', version: '1.5', fallbackText: `${titleOf(card)}. This client cannot show the card: open ${card.url}`, body };
}

/** A link shows the host that it leads to, whatever it calls itself. */
function linkOf(entry: Card['links'][number]): TextRun[] {
  const [title, host] = [oneLine(cut(entry.title, 80)), oneLine(cut(entry.host, 200))];
  return entry.url === '' || entry.url.length > 1_000 ? runs(`${title} (${host || 'no valid address'})`) : link(`${title} (${host})`, entry.url);
}
