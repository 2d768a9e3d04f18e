import { array, isObject, object, text, type JsonObject } from '../wire/json.js';

/**
 * Slack's rules for blocks, as its Web API enforces them. Sources: the JSDoc of @slack/types 3.2.0, the Block Kit
 * reference, and for the sum over a message slackapi/bolt-js#2509 and #2867. The complaints are worded as Slack words them.
 */
export function blockComplaints(blocks: readonly unknown[], surface: 'message' | 'view'): string[] {
  const complaints = new Complaints();
  const pointer = surface === 'view' ? '/view/blocks' : '/blocks';
  complaints.most(blocks.length, surface === 'view' ? 100 : 50, pointer);
  const seen = new Set<string>();
  blocks.forEach((block, index) => {
    const at = `${pointer}/${String(index)}`;
    if (!isObject(block)) {
      complaints.add('must be a valid object', at);
      return;
    }
    checkBlock(block, at, complaints);
    const id = text(block['block_id']);
    if (id !== undefined && seen.has(id)) complaints.add(`block_id "${id}" already exists`, `${at}/block_id`);
    if (id !== undefined) seen.add(id);
  });
  return complaints.all;
}

/** The rules for a modal's frame and its blocks. */
export function viewComplaints(view: JsonObject): string[] {
  const complaints = new Complaints();
  complaints.oneOf(view['type'], ['modal', 'home'], '/view/type');
  if (view['type'] === 'modal') checkText(view['title'], '/view/title', 24, complaints, 'plain_text');
  for (const part of ['submit', 'close']) {
    if (view[part] !== undefined) checkText(view[part], `/view/${part}`, 24, complaints, 'plain_text');
  }
  complaints.length(view['private_metadata'], 3_000, '/view/private_metadata', 0);
  complaints.length(view['callback_id'], 255, '/view/callback_id', 0);
  complaints.length(view['external_id'], 255, '/view/external_id', 0);
  complaints.keys(
    view,
    ['type', 'title', 'submit', 'close', 'blocks', 'private_metadata', 'callback_id', 'external_id', 'clear_on_close', 'notify_on_close', 'submit_disabled'],
    '/view',
  );
  if (!Array.isArray(view['blocks'])) complaints.add('missing required field: blocks', '/view');
  const blocks = array(view['blocks']);
  if (view['type'] === 'home')
    for (const part of ['title', 'submit', 'close']) if (view[part] !== undefined) complaints.add(`invalid additional property: ${part}`, '/view');
  if (view['type'] === 'modal' && view['submit'] === undefined && blocks.some((block) => object(block)['type'] === 'input')) {
    complaints.add('missing required field: submit', '/view');
  }
  return [...complaints.all, ...blockComplaints(blocks, 'view')];
}

/**
 * What a message weighs against {@link MESSAGE_LIMIT}. Slack does not publish the measure. The reports fit the length of
 * the blocks' JSON: 13,297 characters of one markdown block passed, and 11,341 of text in many small elements did not.
 */
export function messageWeight(blocks: readonly unknown[]): number {
  return JSON.stringify(blocks).length;
}

/** Above this weight a message is refused with msg_blocks_too_long. */
export const MESSAGE_LIMIT = 13_200;

/** All that a reader sees in the blocks, one line for each text; marks such as `*` are left as they are. */
export function visibleText(blocks: readonly unknown[]): string {
  const lines: string[] = [];
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(walk);
    if (!isObject(value)) return;
    if (value['type'] === 'rich_text_section' || value['type'] === 'rich_text_preformatted' || value['type'] === 'rich_text_quote') {
      lines.push(
        array(value['elements'])
          .map((element) => text(object(element)['text']) ?? text(object(element)['url']) ?? text(object(element)['fallback']) ?? '')
          .join(''),
      );
      return;
    }
    if (typeof value['text'] === 'string') lines.push(value['text']);
    for (const [key, member] of Object.entries(value)) if (key !== 'text' || typeof member !== 'string') walk(member);
  };
  walk(blocks);
  return lines.join('\n');
}

class Complaints {
  readonly all: string[] = [];

  add(problem: string, pointer: string): void {
    this.all.push(`${problem} [json-pointer:${pointer}]`);
  }

  /** A string of `least` (1) to `most` characters; an absent one is in order. */
  length(value: unknown, most: number, pointer: string, least = 1): void {
    if (value === undefined) return;
    if (typeof value !== 'string') this.add('must be a string', pointer);
    else if (value.length > most) this.add(`must be less than ${String(most + 1)} characters`, pointer);
    else if (value.length < least) this.add(`must be more than ${String(least - 1)} characters`, pointer);
  }

  most(count: number, most: number, pointer: string, least = 0): void {
    if (count > most) this.add(`no more than ${String(most)} items allowed`, pointer);
    if (count < least) this.add(`must have at least ${String(least)} items`, pointer);
  }

  oneOf(value: unknown, allowed: readonly string[], pointer: string): void {
    if (typeof value !== 'string' || !allowed.includes(value)) this.add(`must be one of: ${allowed.join(', ')}`, pointer);
  }

  keys(value: JsonObject, allowed: readonly string[], pointer: string): void {
    for (const key of Object.keys(value)) if (!allowed.includes(key)) this.add(`invalid additional property: ${key}`, pointer);
  }
}

const BLOCK_KEYS: Readonly<Record<string, readonly string[]>> = {
  section: ['text', 'fields', 'accessory', 'expand'],
  header: ['text'],
  context: ['elements'],
  actions: ['elements'],
  divider: [],
  image: ['image_url', 'slack_file', 'alt_text', 'title'],
  input: ['label', 'element', 'hint', 'optional', 'dispatch_action'],
  markdown: ['text'],
  rich_text: ['elements'],
  table: ['rows', 'column_settings'],
};

function checkBlock(block: JsonObject, at: string, complaints: Complaints): void {
  const type = text(block['type']);
  if (type === undefined) {
    complaints.add('missing required field: type', at);
    return;
  }
  const keys = BLOCK_KEYS[type];
  if (keys === undefined) {
    complaints.add(`unsupported type: ${type}`, `${at}/type`);
    return;
  }
  complaints.keys(block, ['type', 'block_id', ...keys], at);
  complaints.length(block['block_id'], 255, `${at}/block_id`);
  const elements = array(block['elements']);
  switch (type) {
    case 'section': {
      const fields = array(block['fields']);
      if (block['text'] === undefined && fields.length === 0) complaints.add('missing required field: text', at);
      if (block['text'] !== undefined) checkText(block['text'], `${at}/text`, 3_000, complaints);
      complaints.most(fields.length, 10, `${at}/fields`);
      fields.forEach((field, index) => {
        checkText(field, `${at}/fields/${String(index)}`, 2_000, complaints);
      });
      if (block['accessory'] !== undefined) checkElement(block['accessory'], `${at}/accessory`, complaints);
      break;
    }
    case 'header':
      checkText(block['text'], `${at}/text`, 150, complaints, 'plain_text');
      break;
    case 'context':
      complaints.most(elements.length, 10, `${at}/elements`, 1);
      elements.forEach((element, index) => {
        if (object(element)['type'] === 'image') checkElement(element, `${at}/elements/${String(index)}`, complaints);
        else checkText(element, `${at}/elements/${String(index)}`, 3_000, complaints);
      });
      break;
    case 'actions':
      complaints.most(elements.length, 25, `${at}/elements`, 1);
      checkElements(elements, `${at}/elements`, complaints);
      break;
    case 'image':
      complaints.length(block['alt_text'] ?? '', 2_000, `${at}/alt_text`);
      complaints.length(block['image_url'], 3_000, `${at}/image_url`);
      if (block['title'] !== undefined) checkText(block['title'], `${at}/title`, 2_000, complaints, 'plain_text');
      break;
    case 'input':
      checkText(block['label'], `${at}/label`, 2_000, complaints, 'plain_text');
      if (block['hint'] !== undefined) checkText(block['hint'], `${at}/hint`, 2_000, complaints, 'plain_text');
      checkElement(block['element'], `${at}/element`, complaints);
      break;
    case 'markdown':
      complaints.length(block['text'] ?? '', 12_000, `${at}/text`);
      break;
    case 'rich_text':
      complaints.most(elements.length, Number.POSITIVE_INFINITY, `${at}/elements`, 1);
      elements.forEach((element, index) => {
        checkRichText(element, `${at}/elements/${String(index)}`, complaints, true);
      });
      break;
    case 'table':
      checkTable(array(block['rows']), `${at}/rows`, complaints);
      break;
  }
}

function checkText(value: unknown, at: string, most: number, complaints: Complaints, only?: 'plain_text'): void {
  if (!isObject(value)) {
    complaints.add('must be a valid text object', at);
    return;
  }
  complaints.oneOf(value['type'], only === undefined ? ['plain_text', 'mrkdwn'] : [only], `${at}/type`);
  complaints.keys(value, value['type'] === 'mrkdwn' ? ['type', 'text', 'verbatim'] : ['type', 'text', 'emoji'], at);
  if (value['text'] === undefined) complaints.add('missing required field: text', at);
  complaints.length(value['text'], most, `${at}/text`);
}

function checkElements(elements: readonly unknown[], at: string, complaints: Complaints): void {
  const seen = new Set<string>();
  elements.forEach((element, index) => {
    checkElement(element, `${at}/${String(index)}`, complaints);
    const id = text(object(element)['action_id']);
    if (id !== undefined && seen.has(id)) complaints.add(`action_id "${id}" already exists`, `${at}/${String(index)}/action_id`);
    if (id !== undefined) seen.add(id);
  });
}

const ELEMENT_KEYS: Readonly<Record<string, readonly string[]>> = {
  button: ['text', 'url', 'value', 'style', 'confirm', 'accessibility_label'],
  image: ['image_url', 'slack_file', 'alt_text'],
  overflow: ['options', 'confirm'],
  static_select: ['placeholder', 'options', 'option_groups', 'initial_option', 'confirm', 'focus_on_load'],
  multi_static_select: ['placeholder', 'options', 'option_groups', 'initial_options', 'confirm', 'max_selected_items', 'focus_on_load'],
  users_select: ['placeholder', 'initial_user', 'confirm', 'focus_on_load'],
  checkboxes: ['options', 'initial_options', 'confirm', 'focus_on_load'],
  radio_buttons: ['options', 'initial_option', 'confirm', 'focus_on_load'],
  datepicker: ['placeholder', 'initial_date', 'confirm', 'focus_on_load'],
  plain_text_input: ['placeholder', 'initial_value', 'multiline', 'min_length', 'max_length', 'dispatch_action_config', 'focus_on_load'],
};

function checkElement(value: unknown, at: string, complaints: Complaints): void {
  const element = object(value);
  const type = text(element['type']) ?? '';
  const keys = ELEMENT_KEYS[type];
  if (keys === undefined) {
    complaints.add(`unsupported type: ${type}`, `${at}/type`);
    return;
  }
  complaints.keys(element, ['type', 'action_id', ...keys], at);
  complaints.length(element['action_id'], 255, `${at}/action_id`);
  if (element['placeholder'] !== undefined) checkText(element['placeholder'], `${at}/placeholder`, 150, complaints, 'plain_text');
  if (element['confirm'] !== undefined) checkConfirm(object(element['confirm']), `${at}/confirm`, complaints);
  const mostOptions = { overflow: 5, static_select: 100, multi_static_select: 100, checkboxes: 10, radio_buttons: 10 }[type];
  if (mostOptions !== undefined && element['option_groups'] === undefined) {
    checkOptions(array(element['options']), mostOptions, `${at}/options`, complaints);
  } else if (mostOptions !== undefined) {
    const groups = array(element['option_groups']);
    complaints.most(groups.length, 100, `${at}/option_groups`, 1);
    groups.forEach((group, index) => {
      const groupAt = `${at}/option_groups/${String(index)}`;
      checkText(object(group)['label'], `${groupAt}/label`, 75, complaints, 'plain_text');
      checkOptions(array(object(group)['options']), 100, `${groupAt}/options`, complaints);
    });
    if (element['options'] !== undefined) complaints.add('cannot have both options and option_groups', at);
  }
  for (const initial of [element['initial_option'], ...array(element['initial_options'])]) {
    const offered = [...array(element['options']), ...array(element['option_groups']).flatMap((group) => array(object(group)['options']))];
    if (initial !== undefined && !offered.some((option) => JSON.stringify(option) === JSON.stringify(initial)))
      complaints.add('must be one of the options', at);
  }
  switch (type) {
    case 'button':
      checkText(element['text'], `${at}/text`, 75, complaints, 'plain_text');
      complaints.length(element['value'], 2_000, `${at}/value`, 0);
      complaints.length(element['url'], 3_000, `${at}/url`);
      complaints.length(element['accessibility_label'], 75, `${at}/accessibility_label`);
      if (element['style'] !== undefined) complaints.oneOf(element['style'], ['primary', 'danger'], `${at}/style`);
      break;
    case 'image':
      complaints.length(element['alt_text'] ?? '', 2_000, `${at}/alt_text`);
      complaints.length(element['image_url'], 3_000, `${at}/image_url`);
      break;
    case 'plain_text_input':
      complaints.length(element['initial_value'], 3_000, `${at}/initial_value`, 0);
      for (const [key, least] of [
        ['min_length', 0],
        ['max_length', 1],
      ] as const) {
        const bound = element[key];
        if (bound !== undefined && (typeof bound !== 'number' || bound < least || bound > 3_000))
          complaints.add(`must be between ${String(least)} and 3000`, `${at}/${key}`);
      }
      break;
  }
}

function checkOptions(options: readonly unknown[], most: number, at: string, complaints: Complaints): void {
  complaints.most(options.length, most, at, 1);
  const seen = new Set<string>();
  options.forEach((option, index) => {
    const value = text(object(option)['value']) ?? '';
    checkText(object(option)['text'], `${at}/${String(index)}/text`, 75, complaints);
    complaints.length(value, 150, `${at}/${String(index)}/value`);
    if (seen.has(value)) complaints.add(`duplicate value: ${value}`, `${at}/${String(index)}/value`);
    seen.add(value);
  });
}

function checkConfirm(confirm: JsonObject, at: string, complaints: Complaints): void {
  complaints.keys(confirm, ['title', 'text', 'confirm', 'deny', 'style'], at);
  checkText(confirm['title'], `${at}/title`, 100, complaints, 'plain_text');
  checkText(confirm['text'], `${at}/text`, 300, complaints);
  for (const part of ['confirm', 'deny']) if (confirm[part] !== undefined) checkText(confirm[part], `${at}/${part}`, 30, complaints, 'plain_text');
}

const RICH_TEXT_KEYS: Readonly<Record<string, readonly string[]>> = {
  rich_text_section: ['elements'],
  rich_text_list: ['elements', 'style', 'indent', 'offset', 'border'],
  rich_text_preformatted: ['elements', 'border', 'language'],
  rich_text_quote: ['elements', 'border'],
  text: ['text', 'style'],
  link: ['url', 'text', 'unsafe', 'style'],
  user: ['user_id', 'style'],
  usergroup: ['usergroup_id', 'style'],
  channel: ['channel_id', 'style'],
  emoji: ['name', 'unicode', 'style'],
  date: ['timestamp', 'format', 'url', 'fallback'],
  broadcast: ['range'],
};

/** A list holds sections, a section, quote and preformatted hold runs, a run holds nothing. */
function checkRichText(value: unknown, at: string, complaints: Complaints, container: boolean): void {
  const element = object(value);
  const type = text(element['type']) ?? '';
  const keys = RICH_TEXT_KEYS[type];
  if (keys === undefined || type.startsWith('rich_text_') !== container) {
    complaints.add(`unsupported type: ${type}`, `${at}/type`);
    return;
  }
  complaints.keys(element, ['type', ...keys], at);
  if (container) {
    if (!Array.isArray(element['elements'])) complaints.add('missing required field: elements', at);
    if (type === 'rich_text_list') complaints.oneOf(element['style'], ['bullet', 'ordered'], `${at}/style`);
    array(element['elements']).forEach((child, index) => {
      const childAt = `${at}/elements/${String(index)}`;
      if (type === 'rich_text_list' && object(child)['type'] !== 'rich_text_section') complaints.add('must be a rich_text_section', childAt);
      else if (type === 'rich_text_preformatted' && !['text', 'link'].includes(text(object(child)['type']) ?? ''))
        complaints.add('must be a text or link', childAt);
      else checkRichText(child, childAt, complaints, type === 'rich_text_list');
    });
    return;
  }
  if (type === 'text') complaints.length(element['text'] ?? '', Number.POSITIVE_INFINITY, `${at}/text`);
  if (type === 'link') complaints.length(element['url'] ?? '', 3_000, `${at}/url`);
  if (type === 'date') {
    if (!Number.isInteger(element['timestamp'])) complaints.add('must be a whole number', `${at}/timestamp`);
    complaints.length(element['format'] ?? '', 3_000, `${at}/format`);
  }
  if (element['style'] !== undefined)
    complaints.keys(object(element['style']), ['bold', 'italic', 'strike', 'code', 'underline', 'highlight', 'client_highlight', 'unlink'], `${at}/style`);
}

function checkTable(rows: readonly unknown[], at: string, complaints: Complaints): void {
  complaints.most(rows.length, 100, at, 1);
  rows.forEach((row, y) => {
    complaints.most(array(row).length, 20, `${at}/${String(y)}`, 1);
    array(row).forEach((cell, x) => {
      complaints.oneOf(object(cell)['type'], ['raw_text', 'raw_number', 'rich_text'], `${at}/${String(y)}/${String(x)}/type`);
      if (object(cell)['type'] === 'raw_text') complaints.length(object(cell)['text'] ?? '', Number.POSITIVE_INFINITY, `${at}/${String(y)}/${String(x)}/text`);
    });
  });
}
