import { array, isObject, object, text, type JsonObject } from '../wire/json.js';
import { officialComplaints } from './official-parser.js';

/**
 * What Teams would refuse in a card, or show as "Something went wrong": what Microsoft's own parser says at version 1.5, and besides the
 * members without which an element means nothing, the rules for Action.Execute and refresh, and how many buttons Teams shows.
 * Sources: Adaptive Cards schema 1.5; Microsoft Teams documentation, "Cards reference" and "User Specific Views".
 */
export function cardComplaints(card: unknown): string[] {
  const complaints: string[] = [];
  const ids = new Set<string>();
  if (!isObject(card)) return ['the card is not an object'];
  if (card['type'] !== 'AdaptiveCard') complaints.push('type must be AdaptiveCard');
  const version = /^1\.(\d)$/.exec(text(card['version']) ?? '')?.[1];
  if (version === undefined || Number(version) > 5) complaints.push(`Teams shows versions 1.0 to 1.5, not ${String(card['version'])}`);
  walk(card, 'card', complaints, ids);
  complaints.push(...officialComplaints(card));
  const first = array(card['actions']).filter((action) => object(action)['mode'] !== 'secondary');
  if (first.length > PRIMARY_ACTIONS) complaints.push(`Teams shows ${String(PRIMARY_ACTIONS)} buttons of the first rank, and leaves out the rest`);
  const refresh = card['refresh'];
  if (refresh !== undefined) {
    if (object(object(refresh)['action'])['type'] !== 'Action.Execute') complaints.push('card.refresh.action must be an Action.Execute');
    const users = array(object(refresh)['userIds']);
    if (users.length > 60) complaints.push('card.refresh.userIds takes 60 people');
    if (users.some((user) => !String(user).startsWith('29:'))) complaints.push('card.refresh.userIds takes ids that begin with 29:');
  }
  return complaints;
}

/** Source: Microsoft Teams documentation, "Cards reference". */
const PRIMARY_ACTIONS = 6;

/** All that a reader sees on the card, one line for each text; marks of Markdown are left as they are. */
export function cardText(card: unknown): string {
  const lines: string[] = [];
  const look = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(look);
    if (!isObject(value)) return;
    switch (value['type']) {
      case 'RichTextBlock':
        lines.push(
          array(value['inlines'])
            .map((run) => (typeof run === 'string' ? run : (text(object(run)['text']) ?? '')))
            .join(''),
        );
        return;
      case 'FactSet':
        for (const fact of array(value['facts'])) lines.push(`${text(object(fact)['title']) ?? ''}: ${text(object(fact)['value']) ?? ''}`);
        return;
      default:
        for (const key of ['text', 'title', 'label', 'placeholder']) if (typeof value[key] === 'string') lines.push(value[key]);
        for (const key of PARTS) look(value[key]);
    }
  };
  look(card);
  return lines.join('\n');
}

/** The Action.Execute or Action.Submit of the card with this verb (or, for a Submit, with `data.verb`). */
export function findAction(card: unknown, verb: string): JsonObject | undefined {
  let found: JsonObject | undefined;
  const look = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(look);
    if (!isObject(value) || found !== undefined) return;
    if (value['verb'] === verb || (value['type'] === 'Action.Submit' && object(value['data'])['verb'] === verb)) found = value;
    else for (const key of PARTS) look(value[key]);
  };
  look(card);
  return found;
}

/** The inputs of the card, by id. */
export function findInputs(card: unknown): ReadonlyMap<string, JsonObject> {
  const inputs = new Map<string, JsonObject>();
  const look = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(look);
    if (!isObject(value)) return;
    if (text(value['type'])?.startsWith('Input.') === true) inputs.set(text(value['id']) ?? '', value);
    for (const key of PARTS) look(value[key]);
  };
  look(card);
  return inputs;
}

/** Where one part of a card holds others. */
const PARTS = ['body', 'items', 'columns', 'rows', 'cells', 'actions', 'selectAction', 'card', 'inlineAction'] as const;

/** The members that each type needs. */
const NEEDS: Readonly<Record<string, readonly string[]>> = {
  AdaptiveCard: [],
  TextBlock: ['text'],
  RichTextBlock: ['inlines'],
  Image: ['url'],
  ImageSet: ['images'],
  Media: ['sources'],
  Container: ['items'],
  ColumnSet: ['columns'],
  Column: [],
  FactSet: ['facts'],
  ActionSet: ['actions'],
  Table: ['columns', 'rows'],
  TableRow: ['cells'],
  TableCell: ['items'],
  'Input.Text': ['id'],
  'Input.Number': ['id'],
  'Input.Date': ['id'],
  'Input.Time': ['id'],
  'Input.Toggle': ['id', 'title'],
  'Input.ChoiceSet': ['id'],
  'Action.Execute': ['verb', 'title'],
  'Action.Submit': ['title'],
  'Action.OpenUrl': ['url'],
  'Action.ShowCard': ['card'],
  'Action.ToggleVisibility': ['targetElements'],
};

function walk(part: JsonObject, at: string, complaints: string[], ids: Set<string>): void {
  // A column of a table has a width and no type.
  const type = text(part['type']) ?? (/\.columns\[\d+\]$/.test(at) ? 'Column' : '');
  const needs = NEEDS[type];
  if (needs === undefined) {
    complaints.push(`${at}: unknown type ${type === '' ? '(none)' : type}`);
    return;
  }
  for (const need of needs) if (part[need] === undefined) complaints.push(`${at}: ${type} needs ${need}`);
  const id = text(part['id']);
  if (id !== undefined && ids.has(id)) complaints.push(`${at}: the id ${id} is taken`);
  if (id !== undefined) ids.add(id);
  if (type === 'TextBlock' && typeof part['text'] !== 'string') complaints.push(`${at}: text must be a string`);
  if (type === 'RichTextBlock') {
    array(part['inlines']).forEach((run, index) => {
      if (typeof run !== 'string' && (object(run)['type'] !== 'TextRun' || typeof object(run)['text'] !== 'string'))
        complaints.push(`${at}.inlines[${String(index)}]: must be a string or a TextRun with text`);
    });
  }
  if (type === 'FactSet') {
    array(part['facts']).forEach((fact, index) => {
      if (typeof object(fact)['title'] !== 'string' || typeof object(fact)['value'] !== 'string')
        complaints.push(`${at}.facts[${String(index)}]: needs title and value as strings`);
    });
  }
  if (type.startsWith('Action.')) {
    if (part['style'] !== undefined && !['default', 'positive', 'destructive'].includes(text(part['style']) ?? ''))
      complaints.push(`${at}: style must be default, positive or destructive`);
    if (type === 'Action.Execute' && part['data'] !== undefined && !isObject(part['data'])) complaints.push(`${at}: data must be an object`);
    if (type === 'Action.OpenUrl' && !/^(https?|msteams|mailto):/.test(text(part['url']) ?? ''))
      complaints.push(`${at}: url must be http, https, mailto or msteams`);
  }
  for (const key of PARTS) {
    const inner = part[key];
    if (inner === undefined) continue;
    const list = Array.isArray(inner) ? inner : [inner];
    list.forEach((child, index) => {
      if (isObject(child)) walk(child, Array.isArray(inner) ? `${at}.${key}[${String(index)}]` : `${at}.${key}`, complaints, ids);
      else complaints.push(`${at}.${key}[${String(index)}]: must be an object`);
    });
  }
}
