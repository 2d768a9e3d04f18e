import type { JsonObject, JsonValue } from '@countersign/contracts';
import { refusals } from '@countersign/core/decision';
import { propose } from '@countersign/core/flow';
import { makeVisible } from '@countersign/core/request';
import type { FormField } from '../actions.js';
import { cut } from '../cards/card-words.js';
import { listIn, textIn } from './forms.js';
import { type ActionHandler, cardNow, type Road, told } from './road.js';

/** An approver proposes other values for the parameters that policy lists. Nothing of the request changes. */
export const counterAction: ActionHandler = {
  async form(road) {
    const { card } = road;
    const paths = pathsOf(road);
    if (paths.length === 0) return refusals.counterNotAllowed('Policy lets nobody propose other values for this request. Deny it, and say why.');
    const hidden = paths.filter((path) => placeOf(road, path).hidden);
    return {
      action: 'counter',
      title: 'Propose other values',
      intro: [
        card.headline,
        'The request itself never changes. What you propose becomes a new request with its own digest, and only if the caller takes it; it is then judged and approved anew.',
        'Only what you change is proposed. This request goes on waiting: deny it too if it must not run as it is.',
        ...(hidden.length === 0 ? [] : [`Masked, and shown empty: ${hidden.join(', ')}. Leave it empty to keep it.`]),
      ],
      fields: [
        ...paths.map((path, index) => fieldOf(road, path, index)),
        { kind: 'text', id: 'reason', label: 'Why', hint: 'The caller is told.', required: false, multiline: true, max: 2_000 },
      ],
      submit: 'Propose',
      subject: null,
    };
  },
  async done(road, values) {
    const parameters: JsonObject = {};
    for (const [index, path] of pathsOf(road).entries()) {
      const place = placeOf(road, path);
      const read = readValue(place.value, idOf(index), values);
      if (read === undefined) continue;
      if ('wrong' in read) return { kind: 'refused', code: 'form_incomplete', text: `Nothing was proposed. ${path}: ${read.wrong}` };
      if (!place.hidden && JSON.stringify(read.value) === JSON.stringify(place.value)) continue;
      parameters[path] = read.value;
    }
    if (Object.keys(parameters).length === 0) {
      return {
        kind: 'refused',
        code: 'form_incomplete',
        text: 'Nothing was proposed: no value is another than it was. Change one, or deny the request and say why.',
      };
    }
    const reason = textIn(values, 'reason');
    const outcome = await propose(road.world.flow, road.by, road.state.request.id, { parameters, reason });
    if (outcome.kind === 'refused') return told(outcome);
    return {
      kind: 'done',
      text: 'Proposed. The caller may take it, which opens a new request; this one goes on waiting, and nothing of it changed.',
      card: cardNow(road, outcome.state),
    };
  },
};

/** Paths through lists (`[*]`) name no one value that a form could hold. */
const pathsOf = ({ card }: Road): string[] => (card.counter ?? []).filter((path) => !path.includes('['));

const idOf = (index: number): string => `value_${String(index)}`;

/** As Slack's input fields hold it. */
const MOST = 3_000;

/** What stands at a path of the masked request. Hidden: all or part of it is a mask, which nobody may propose by accident. */
function placeOf({ state }: Road, path: string): { value: JsonValue | undefined; hidden: boolean } {
  const names = path.replace(/^parameters\./, '').split('.');
  let value: JsonValue | undefined = state.request.view.parameters ?? {};
  for (const name of names) {
    value = value !== null && typeof value === 'object' && !Array.isArray(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  }
  const pointer = `/parameters/${names.map((name) => name.replaceAll('~', '~0').replaceAll('/', '~1')).join('/')}`;
  const hidden = state.request.masked.some((entry) => entry.pointer === pointer || entry.pointer.startsWith(`${pointer}/`));
  return { value: hidden ? undefined : value, hidden };
}

function fieldOf(road: Road, path: string, index: number): FormField {
  const { value } = placeOf(road, path);
  const [id, label] = [idOf(index), cut(makeVisible(path.replace(/^parameters\./, '')).text, 150)];
  if (typeof value === 'boolean') {
    const options = [
      { value: 'true', label: 'true' },
      { value: 'false', label: 'false' },
    ];
    return { kind: 'choice', id, label, required: false, many: false, options, initial: String(value) };
  }
  const written = value === undefined ? undefined : typeof value === 'string' ? value : JSON.stringify(value);
  const whole = written !== undefined && written.length <= MOST && makeVisible(written).found.length === 0;
  const kind = typeof value === 'number' ? 'A number' : typeof value === 'string' || value === undefined ? 'Text' : 'JSON';
  return {
    kind: 'text',
    id,
    label,
    hint:
      written !== undefined && !whole
        ? `${kind}. What stands there now is too long, or holds characters that cannot be seen: leave this empty to keep it.`
        : kind,
    required: false,
    multiline: (written?.length ?? 0) > 80 || (value !== null && typeof value === 'object'),
    max: MOST,
    ...(whole ? { initial: written } : {}),
  };
}

/** What was entered, as the type that stands there now; undefined where it was left as it was, or empty. */
function readValue(now: JsonValue | undefined, id: string, values: Parameters<typeof textIn>[0]): { value: JsonValue } | { wrong: string } | undefined {
  if (typeof now === 'boolean') {
    const [chosen] = listIn(values, id);
    return chosen === undefined ? undefined : chosen === 'true' || chosen === 'false' ? { value: chosen === 'true' } : { wrong: 'true or false.' };
  }
  const text = textIn(values, id);
  if (text === undefined) return undefined;
  if (text.length > MOST) return { wrong: `at most ${String(MOST)} characters.` };
  if (typeof now === 'string' || now === undefined) return { value: text };
  if (typeof now === 'number') {
    const number = Number(text);
    return /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) && Number.isFinite(number) ? { value: number } : { wrong: 'a number, like 1000 or 0.5.' };
  }
  try {
    // Nothing but JSON comes out of JSON.parse.
    return { value: JSON.parse(text) as JsonValue };
  } catch {
    return { wrong: 'JSON, as it stands in the form.' };
  }
}
