import { type ChatMessage, count, cut, decisionText, type Measure, oneLine, ruleText, stageText, time, titleOf } from '@countersign/chat';
import type { Card, JsonObject } from '@countersign/contracts';
import { htmlOf, type Part, textOf, type Tone } from './mail-parts.js';

/** What a mail says; who gets it, and what is around it, is the mailer's. */
export interface MailContent {
  subject: string;
  text: string;
  html: string;
}

/** Gmail shows 102 KB of a mail and hides the rest behind a link; what is shown must be all that we say. */
export const MOST_BYTES = 96_000;
/** RFC 5322, section 2.1.1 folds longer lines; no program shows more than this of a subject. */
const MOST_SUBJECT = 150;

const TONES: Record<Card['status'], Tone> = { pending: 'asks', approved: 'good', denied: 'bad', expired: 'over', cancelled: 'over', revoked: 'bad' };

/** Says of the link what it is, so that nobody takes it for a decision. */
const LINK_WORDS = 'You sign in there, read all of it and decide. Opening the link decides nothing; it works once, for you alone.';

/**
 * The card as a mail. `link`: the way to the request's page. What does not fit is cut with a note that says how much is shown; a mail that
 * does not show the whole action says so.
 */
export function renderCard(card: Card, link: string): MailContent {
  const subject = subjectOf(`${titleOf(card)}: ${card.headline}`);
  for (const measure of MEASURES) {
    const content = contentOf(subject, partsOf(card, link, measure));
    if (Buffer.byteLength(content.html) <= MOST_BYTES && Buffer.byteLength(content.text) <= MOST_BYTES) return content;
  }
  // The last measure shows neither parameters nor texts of any length, so that it always fits.
  return contentOf(subject, partsOf(card, link, { value: 0, values: 0, entries: 0 }));
}

/** A message that is no card: a reminder, a question, a review. `link` goes in the place of the addresses of its one request. */
export function renderMessage(message: ChatMessage, link: string | null): MailContent {
  const buttons = message.links.map(({ label, url }): Part => ({ kind: 'button', own: label, url: link !== null && REQUEST.test(url) ? link : url }));
  const [first, ...rest] = buttons.length > 0 || link === null ? buttons : [{ kind: 'button', own: OPEN, url: link } satisfies Part];
  const parts: Part[] = [
    { kind: 'headline', text: oneLine(cut(message.title, 600)) },
    ...message.lines.flatMap((line): Part[] => (line === '' ? [] : [lineOf(cut(line, 8_000))])),
    ...(first === undefined ? [] : [first]),
    ...rest.map((part): Part => (part.kind === 'button' ? { ...part, small: true } : part)),
    ...(link === null ? [] : [{ kind: 'note', own: LINK_WORDS } satisfies Part]),
  ];
  const [said = ''] = message.lines;
  return contentOf(subjectOf(said === '' ? message.title : `${message.title}: ${said}`), parts);
}

/** What the button says. */
export const OPEN = 'Open the request';

/** The one request that a message is about, of its buttons and addresses; null where it is about none, or several. */
export function requestOf({ links, actions }: Pick<ChatMessage, 'links' | 'actions'>): string | null {
  const ids = new Set([...actions.map(({ request_id }) => request_id), ...links.flatMap(({ url }) => REQUEST.exec(url)?.[1] ?? [])]);
  const [only] = ids;
  return ids.size === 1 ? (only ?? null) : null;
}
const REQUEST = /\/requests\/(ar_[0-9a-f-]{36})(?:#.*)?$/;

/** The mail as plain JSON, for previews; its button leads to the request's page as that of a signed mail does. */
export function previewCard(card: Card): JsonObject {
  const { subject, text, html } = renderCard(card, card.url);
  return { subject, text, html };
}

function contentOf(subject: string, parts: readonly Part[]): MailContent {
  return { subject, text: textOf(parts), html: htmlOf(subject, parts) };
}

/** A line, and a short one: whatever would end a header or begin another is no character of it any more (RFC 5322, section 2.2). */
function subjectOf(text: string): string {
  const line = oneLine(text)
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim();
  return line.length <= MOST_SUBJECT ? line : `${cut(line, MOST_SUBJECT - 1)}…`;
}

/** A text with line breaks of its own stands in a box: it may be anybody's. */
const lineOf = (text: string): Part => (text.includes('\n') ? { kind: 'box', label: '', text } : { kind: 'line', own: '', text });

/** A mail has more room than a card in a chat. */
const MEASURES: readonly Measure[] = [
  { value: 60_000, values: 300, entries: 60 },
  { value: 20_000, values: 200, entries: 50 },
  { value: 6_000, values: 120, entries: 40 },
  { value: 2_000, values: 60, entries: 30 },
  { value: 500, values: 30, entries: 20 },
  { value: 160, values: 12, entries: 10 },
];

function partsOf(card: Card, link: string, measure: Measure): Part[] {
  let partial = false;
  const shorten = (text: string, limit = measure.value): string => {
    if (text.length <= limit) return text;
    partial = true;
    const shown = cut(text, limit);
    return `${shown}… [continues: shown ${count(shown.length)} of ${count(text.length)} characters]`;
  };
  const shortLine = (text: string, limit = Math.max(120, Math.min(measure.value, 1_000))): string => oneLine(shorten(text, limit));
  const few = <T>(all: readonly T[], most: number, what: string): { shown: readonly T[]; rest: Part[] } => {
    if (all.length <= most) return { shown: all, rest: [] };
    partial = true;
    return { shown: all.slice(0, most), rest: [{ kind: 'note', own: `[continues: shown ${count(most)} of ${count(all.length)} ${what}]` }] };
  };

  const facts = few(card.facts, measure.entries, 'facts');
  const warnings = few(card.warnings, measure.entries, 'warnings');
  const parameters = few(card.parameters, measure.values, 'parameters');
  const links = few(card.links, Math.min(measure.entries, 20), 'links');
  const stages = few(card.stages, measure.entries, 'stages');
  const decisions = few(card.decisions, measure.entries, 'decisions');

  const about: Part[] = [
    { kind: 'section', own: 'What is asked' },
    { kind: 'facts', rows: facts.shown.map(({ label, value }) => ({ label: shortLine(label), value: shortLine(value) })) },
    ...facts.rest,
    ...(card.reason === null ? [] : [{ kind: 'box', label: 'Reason, as the caller gives it', text: shorten(card.reason) } satisfies Part]),
  ];
  if (card.parameters.length > 0) {
    about.push({ kind: 'section', own: 'Parameters, as the caller gives them' });
    about.push(...parametersOf(parameters.shown.map(({ path, value }) => ({ label: shortLine(path, 200), value: shorten(value) }))));
    about.push(...parameters.rest);
  }
  if (card.diff !== null)
    about.push({ kind: 'section', own: 'What changes' }, { kind: 'box', label: 'As the caller says', text: shorten(card.diff), diff: true });
  if (links.shown.length > 0) {
    about.push({ kind: 'section', own: 'Addresses that the caller names' });
    about.push({ kind: 'facts', rows: links.shown.map((entry) => ({ label: shortLine(entry.title, 120), value: addressOf(entry) })), theirs: true });
    about.push(...links.rest, { kind: 'note', own: 'They stand here as text. The page of the request has them to follow.' });
  }
  if (card.hidden !== null) about.push({ kind: 'note', own: '', text: oneLine(cut(card.hidden, 600)) });

  const rule: Part[] = [
    { kind: 'section', own: card.open ? 'Why you are asked' : 'Who was asked, and why' },
    { kind: 'line', own: 'Rule ', text: shortLine(ruleText(card), 800) },
    ...(stages.shown.length === 0
      ? []
      : [{ kind: 'facts', rows: stages.shown.map((stage) => ({ label: 'Stage', value: shortLine(stageText(stage, card)) })) } satisfies Part]),
    ...stages.rest,
    ...(card.waiting_for === null ? [] : [{ kind: 'line', own: 'Needed: ', text: shortLine(card.waiting_for, 400) } satisfies Part]),
    ...decisions.shown.map((decision): Part => ({ kind: 'line', own: 'Decision: ', text: shortLine(decisionText(decision)) })),
    ...decisions.rest,
  ];

  return [
    { kind: 'status', own: titleOf(card), tone: TONES[card.status] },
    ...(card.outcome === null
      ? []
      : [{ kind: 'line', own: '', text: `${shortLine(card.outcome.text, 2_500)} ${time(card.outcome.at)}`, strong: true } satisfies Part]),
    { kind: 'headline', text: shortLine(card.headline, Math.max(300, measure.value)) },
    ...(card.open ? [{ kind: 'line', own: `Decide before ${time(card.expires_at)}; after that it does not run.` } satisfies Part] : []),
    ...warnings.shown.map((warning): Part => ({ kind: 'warning', text: shortLine(warning, 500) })),
    ...warnings.rest,
    ...(partial
      ? [
          {
            kind: 'line',
            own: card.open
              ? 'This card does not show all of it. Press Show everything before you decide.'
              : 'This card does not show all of it: open it in the browser.',
            strong: true,
          } satisfies Part,
        ]
      : []),
    { kind: 'button', own: OPEN, url: link },
    ...(card.open ? [{ kind: 'note', own: LINK_WORDS } satisfies Part] : []),
    ...about,
    ...rule,
    ...(card.notice === null ? [] : [{ kind: 'note', own: '', text: oneLine(cut(card.notice, 500)) } satisfies Part]),
    { kind: 'note', own: `${card.request_id}, asked ${time(card.created_at)}. Request ${card.request_digest}` },
  ];
}

/** Short values in rows, all others in boxes of their own; in the caller's order. */
function parametersOf(rows: readonly { label: string; value: string }[]): Part[] {
  const parts: Part[] = [];
  for (const row of rows) {
    const last = parts.at(-1);
    if (row.value.length > MOST_IN_ROW || row.label.length > MOST_IN_ROW || row.value.includes('\n'))
      parts.push({ kind: 'box', label: row.label, text: row.value, theirs: true });
    else if (last?.kind === 'facts') parts.splice(-1, 1, { ...last, rows: [...last.rows, row] });
    else parts.push({ kind: 'facts', rows: [row], exact: true, theirs: true });
  }
  return parts;
}
const MOST_IN_ROW = 80;

/** The address and, where they differ in spelling, the host that it leads to in ASCII: a look-alike shows. */
function addressOf({ url, host }: Card['links'][number]): string {
  if (url === '') return 'no valid address';
  return `${cut(url, 400)}${url.length > 400 ? `… [continues: shown 400 of ${count(url.length)} characters]` : ''} (leads to ${cut(host, 200)})`;
}
