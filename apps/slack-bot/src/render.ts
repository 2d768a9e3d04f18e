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
import type { types } from '@slack/bolt';
import { buttonsOf } from './buttons.js';
import { type Block, bold, box, divider, escapeMrkdwn, header, line, moment, note, richText, run } from './rich-text.js';

/** A card as a Slack message. */
export interface SlackMessage {
  /** What notifications and screen readers say. */
  text: string;
  blocks: Block[];
}

/**
 * Blocks in a message: Slack's limit is 50. Characters in a message: Slack refuses from about 13,200 on, and does not say how it counts
 * (slackapi/bolt-js#2509, #2867). The length of the blocks' JSON is never less than any way of counting.
 */
const MOST_BLOCKS = 50;
const MOST_CHARACTERS = 12_000;

/**
 * The card as a message that Slack takes, whatever the request holds. What does not fit is cut with a note that says how much is shown and
 * where the rest is; a card that does not show the whole action says so beside its buttons.
 */
export function renderCard(card: Card): SlackMessage {
  const text = cut(escapeMrkdwn(`${titleOf(card)}: ${oneLine(cut(card.headline, 1_500))}`), 3_000);
  for (const measure of CARD_MEASURES) {
    const blocks = blocksOf(card, measure);
    if (blocks.length <= MOST_BLOCKS && JSON.stringify(blocks).length <= MOST_CHARACTERS) return { text, blocks };
  }
  // The last measure shows neither parameters nor texts of any length, so that it always fits.
  return { text, blocks: blocksOf(card, { value: 0, values: 0, entries: 0 }) };
}

/** The message as plain JSON, for previews. */
export function previewCard(card: Card): JsonObject {
  const json: JsonObject = JSON.parse(JSON.stringify(renderCard(card)));
  return json;
}

function blocksOf(card: Card, measure: Measure): Block[] {
  /** Set once anything of the action was left out. */
  let partial = false;
  const shorten = (text: string, limit = measure.value): string => {
    if (text.length <= limit) return text;
    partial = true;
    const shown = cut(text, limit);
    return `${shown}…\n[continues: shown ${count(shown.length)} of ${count(text.length)} characters, use Show everything]`;
  };
  const shortLine = (text: string, limit = Math.max(40, Math.min(measure.value, 300))): string => {
    if (text.length > limit) partial = true;
    return text.length > limit ? `${oneLine(cut(text, limit))}… [${count(limit)} of ${count(text.length)} characters]` : oneLine(text);
  };
  const few = <T>(all: readonly T[], most: number, what: string): { shown: readonly T[]; rest: string | null } => {
    if (all.length <= most) return { shown: all, rest: null };
    partial = true;
    return { shown: all.slice(0, most), rest: `[continues: shown ${count(most)} of ${count(all.length)} ${what}, use Show everything]` };
  };
  const labelled = (label: string, text: string): types.RichTextBlock['elements'] => [line(bold(label)), box(shorten(text))];

  const blocks: Block[] = [];
  const title = `${titleOf(card)}: ${oneLine(card.headline)}`;
  blocks.push(header(title.length <= 150 ? title : titleOf(card)));
  if (card.notice !== null) blocks.push(note(cut(card.notice, 500)));
  if (card.outcome !== null) blocks.push(richText(line(bold(shortLine(card.outcome.text, 600)), run(` ${time(card.outcome.at)}`))));
  if (title.length > 150) blocks.push(richText(line(run(shortLine(card.headline, Math.max(300, measure.value))))));

  const warnings = few(card.warnings, measure.entries, 'warnings');
  for (const warning of warnings.shown) blocks.push(richText(line(bold('Beware: '), run(shortLine(warning, 500)))));
  if (warnings.rest !== null) blocks.push(note(warnings.rest));

  const facts = few(card.facts, measure.entries, 'facts');
  blocks.push(
    richText(
      line(...facts.shown.flatMap(({ label, value }, index) => [bold(`${index === 0 ? '' : '\n'}${label}: `), run(shortLine(value))])),
      ...(facts.rest === null ? [] : [line(run(facts.rest))]),
    ),
  );
  if (card.reason !== null) blocks.push(richText(...labelled('Reason, as the caller gives it', card.reason)));

  const parameters = few(card.parameters, measure.values, 'parameters');
  if (card.parameters.length > 0) {
    const boxes = parameterBoxes(parameters.shown).flatMap(({ path, text }) => (path === null ? [box(shorten(text))] : labelled(shortLine(path, 200), text)));
    // Sections that follow each other are one line to some clients.
    const gap = boxes[0]?.type === 'rich_text_section' ? '\n' : '';
    blocks.push(
      richText(line(run(`Parameters, as the caller gives them${gap}`)), ...boxes, ...(parameters.rest === null ? [] : [line(bold(parameters.rest))])),
    );
  }
  if (card.diff !== null) blocks.push(richText(...labelled('What changes, as the caller says', card.diff)));
  const links = few(card.links, Math.min(measure.entries, 10), 'links');
  if (links.shown.length > 0) {
    blocks.push(
      richText(
        line(bold('Links of the caller: '), ...links.shown.flatMap((link, index) => [...(index === 0 ? [] : [run(' · ')]), linkRun(link)])),
        ...(links.rest === null ? [] : [line(run(links.rest))]),
      ),
    );
  }
  if (card.hidden !== null) blocks.push(note(cut(card.hidden, 600)));

  blocks.push(divider, richText(line(bold('Rule: '), run(shortLine(ruleText(card), 600)))));
  const stages = few(card.stages, measure.entries, 'stages');
  if (stages.shown.length > 0)
    blocks.push(richText(line(...stages.shown.flatMap((stage, index) => [run(`${index === 0 ? '' : '\n'}${stageText(stage, card)}`)]))));
  if (card.waiting_for !== null) blocks.push(richText(line(bold('Needed: '), run(shortLine(card.waiting_for, 400)))));
  const decisions = few(card.decisions, measure.entries, 'decisions');
  for (const decision of decisions.shown) blocks.push(richText(line(run(shortLine(decisionText(decision), Math.max(120, measure.value))))));
  if (decisions.rest !== null) blocks.push(note(decisions.rest));
  if (card.open)
    blocks.push(
      richText(line(bold('Decide before '), moment(card.expires_at, time(card.expires_at)), run(` (${time(card.expires_at)}); after that it does not run.`))),
    );
  blocks.push(note(`${card.request_id} · asked ${time(card.created_at)} · request ${card.request_digest}`));
  if (partial)
    blocks.push(
      richText(
        line(
          bold(
            card.open
              ? 'This card does not show all of it. Press Show everything before you decide.'
              : 'This card does not show all of it: use Show everything.',
          ),
        ),
      ),
    );
  if (card.open && card.open_first === true) blocks.push(richText(line(bold(OPEN_FIRST))));
  blocks.push(...buttonsOf(card, partial));
  return blocks;
}

/** A link shows the host that it leads to, whatever it calls itself. */
function linkRun(link: Card['links'][number]) {
  const title = oneLine(cut(link.title, 80));
  return link.url === '' || link.url.length > 1_000
    ? run(`${title} (${cut(oneLine(link.host), 100) || 'no valid address'})`)
    : ({ type: 'link', url: link.url, text: `${title} (${link.host})` } as const);
}
