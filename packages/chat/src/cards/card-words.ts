import type { Card } from '@countersign/contracts';

/** What has become of the request, as the title of its card. */
export function titleOf(card: Card): string {
  switch (card.status) {
    case 'pending':
      return 'Approval needed';
    case 'approved':
      return 'Approved';
    case 'denied':
      return 'Denied';
    case 'expired':
      return 'Expired';
    case 'cancelled':
      return 'Cancelled';
    case 'revoked':
      return 'Revoked';
  }
}

/** How far a stage is met, in a line. */
export function stageText(stage: Card['stages'][number], { open }: Pick<Card, 'open'>): string {
  const groups = stage.groups.map(({ group, quorum, approved }) => `${count(approved)} of ${count(quorum)} of ${cut(group, 60)}`).join(' and ');
  return `${cut(stage.name, 60)}: ${groups}${stage.satisfied ? ' (met)' : stage.open || !open ? '' : ' (later)'}`;
}

/** Which rule of which policy asks, and why, in its author's words. */
export function ruleText({ rule }: Card): string {
  return `${rule.ids.join(', ') || 'default'} (policy ${rule.policy}). ${rule.explanation}`;
}

/** Who decided what, when, by which channel, and why. */
export function decisionText(decision: Card['decisions'][number]): string {
  const verb = decision.verdict === 'approve' ? 'approved' : 'denied';
  return `${cut(decision.name, 100)} ${verb} it (${decision.via}, ${time(decision.at)})${decision.reason === null ? '' : `: ${decision.reason}`}`;
}

/** All that a card could say, and the whole masked action: what "Show everything" leads to. */
export function wholeText(card: Card): string {
  const parts: string[] = [card.headline];
  if (card.outcome !== null) parts.push(`${card.outcome.text} ${time(card.outcome.at)}`);
  if (card.warnings.length > 0) parts.push(card.warnings.map((warning) => `Beware: ${warning}`).join('\n'));
  parts.push(card.facts.map(({ label, value }) => `${label}: ${oneLine(value)}`).join('\n'));
  parts.push(`Rule: ${ruleText(card)}\nPolicy: ${card.rule.policy_digest}\nEach rule and condition: ${card.url}`);
  if (card.stages.length > 0) parts.push(card.stages.map((stage) => stageText(stage, card)).join('\n'));
  if (card.decisions.length > 0) parts.push(card.decisions.map(decisionText).join('\n'));
  if (card.hidden !== null) parts.push(card.hidden);
  parts.push(
    `Request: ${card.request_id}\nRequest digest: ${card.request_digest}\nAction digest: ${card.action_digest}\nDecide before: ${time(card.expires_at)}`,
  );
  parts.push(card.everything);
  return parts.join('\n\n');
}

/** Beside the buttons of a card that leaves Approve to the whole. */
export const OPEN_FIRST = 'Something in this request may mislead. Press Show everything: you approve at its end.';

/** One box of parameters: several short ones, a line each, or one under its path. */
export type ParameterBox = { path: null; text: string } | { path: string; text: string };

/**
 * Parameters as they are read at a glance: neighbours of one short line each share a box, `path: value`; every other has a box of its own. No value
 * can look like a line of another, for what shares a box has no line break.
 */
export function parameterBoxes(parameters: readonly Card['parameters'][number][]): ParameterBox[] {
  const boxes: ParameterBox[] = [];
  for (const { path, value } of parameters) {
    const short = value !== '' && path.length <= 40 && value.length <= 80 && !/[\n:]/.test(path) && !value.includes('\n');
    const last = boxes.at(-1);
    if (!short) boxes.push({ path, text: value });
    else if (last !== undefined && last.path === null) boxes[boxes.length - 1] = { path: null, text: `${last.text}\n${path}: ${value}` };
    else boxes.push({ path: null, text: `${path}: ${value}` });
  }
  return boxes;
}

/** `2026-11-21 12:03:04 UTC`. */
export function time(instant: string): string {
  return `${instant.slice(0, 10)} ${instant.slice(11, 19)} UTC`;
}

/** `41,220`. */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** The first `limit` UTF-16 units, never half a surrogate pair. */
export function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const end = limit - (/[\uD800-\uDBFF]/.test(text.charAt(limit - 1)) ? 1 : 0);
  return text.slice(0, end);
}

/** Line breaks as marks, for places where a value must not look like a line of ours. */
export function oneLine(text: string): string {
  return text.replaceAll('\n', ' ⏎ ');
}
