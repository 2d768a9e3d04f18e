import type { Card } from '@countersign/contracts';

/** Of a later request like this one: what must be the same, how many may pass, and for how long. */
export interface Alike {
  pin: string[];
  uses: number;
  ttl_seconds: number;
}

/** The narrowest to begin with: every parameter as it is, one more use, for an hour. */
export function firstAlike({ alike, parameters }: Card): Alike | null {
  if (alike === undefined) return null;
  const pin = [...new Set([...alike.pin, ...parameters.map(({ path }) => pathOf(path))])].slice(0, Math.max(MOST_PINS, alike.pin.length));
  return { pin, uses: 1, ttl_seconds: Math.min(3_600, alike.max_ttl_seconds) };
}

/** As policy writes the path of a parameter. */
const pathOf = (name: string): string => (/^[A-Za-z_]\w*$/.test(name) ? `parameters.${name}` : `parameters[${JSON.stringify(name)}]`);

/** As the contract has it. */
const MOST_PINS = 50;
const SPANS: readonly [number, string][] = [
  [3_600, 'an hour'],
  [4 * 3_600, '4 hours'],
  [24 * 3_600, 'a day'],
  [7 * 24 * 3_600, 'a week'],
  [30 * 24 * 3_600, '30 days'],
];

/** `90 minutes`, `2 hours`, `3 days`. */
function spanWords(seconds: number): string {
  if (seconds % 86_400 === 0 && seconds > 86_400) return `${String(seconds / 86_400)} days`;
  return seconds % 3_600 === 0 && seconds > 3_600 ? `${String(seconds / 3_600)} hours` : `${String(Math.ceil(seconds / 60))} minutes`;
}

/** What others may pass without asking: never wider than this request, and what policy pins stays pinned. */
export function AlikeFields({ card, alike, onChange }: { card: Card; alike: Alike; onChange: (alike: Alike) => void }) {
  const bounds = card.alike;
  if (bounds === undefined) return null;
  const paths = [...new Set([...bounds.pin, ...card.parameters.map(({ path }) => pathOf(path))])];
  const spans = SPANS.filter(([seconds]) => seconds < bounds.max_ttl_seconds);
  const longest = bounds.max_ttl_seconds;
  return (
    <fieldset className="alike">
      <legend>Others pass without asking if action, resource, actor and requester are the same, and of the parameters</legend>
      {paths.map((path) => (
        <label key={path} className="words">
          <input
            type="checkbox"
            checked={alike.pin.includes(path)}
            disabled={bounds.pin.includes(path)}
            onChange={(event) => onChange({ ...alike, pin: event.target.checked ? [...alike.pin, path] : alike.pin.filter((other) => other !== path) })}
          />{' '}
          {path} is as here{bounds.pin.includes(path) ? ' (policy wants it)' : ''}
        </label>
      ))}
      <label>
        So many, at most {bounds.max_uses}
        <input
          type="number"
          min={1}
          max={bounds.max_uses}
          value={alike.uses}
          required
          onChange={(event) => onChange({ ...alike, uses: event.target.valueAsNumber })}
        />
      </label>
      <label>
        For
        <select value={alike.ttl_seconds} onChange={(event) => onChange({ ...alike, ttl_seconds: Number(event.target.value) })}>
          {spans.map(([seconds, words]) => (
            <option key={seconds} value={seconds}>
              {words}
            </option>
          ))}
          <option value={longest}>{spanWords(longest)}, the most that policy allows</option>
        </select>
      </label>
      <p className="quiet">Each use is recorded. It is listed under Control, and whoever may approve takes it back there.</p>
    </fieldset>
  );
}
