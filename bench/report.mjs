/** The lines of a run: each is a ratio (or a rate) with its goal. */
export class Report {
  #lines = [];

  heading(text) {
    this.#write(`\n${text}`);
  }

  /** Machine facts and what explains a ratio; not judged. */
  note(text) {
    this.#write(`  ${text}`);
  }

  /** @param goal `{ atLeast }` or `{ atMost }`, in the value's unit */
  line(name, value, goal, { unit = '', detail = '' } = {}) {
    const ok = goal.atLeast === undefined ? value <= goal.atMost : value >= goal.atLeast;
    const wanted = goal.atLeast === undefined ? `≤ ${goal.atMost}${unit}` : `≥ ${goal.atLeast}${unit}`;
    this.#lines.push({ name, ok });
    this.#write(
      `  ${name.padEnd(58)} ${`${number(value)}${unit}`.padStart(10)}   goal ${wanted.padEnd(10)} ${ok ? 'ok    ' : 'missed'}${detail === '' ? '' : `   ${detail}`}`,
    );
  }

  end() {
    const missed = this.#lines.filter(({ ok }) => !ok);
    this.#write(
      `\n${this.#lines.length - missed.length} of ${this.#lines.length} goals met${missed.length === 0 ? '.' : `; missed: ${missed.map(({ name }) => name).join('; ')}.`}`,
    );
  }

  #write(text) {
    process.stdout.write(`${text}\n`);
  }
}

export function number(value) {
  return Math.abs(value) >= 100 ? String(Math.round(value)) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2);
}
