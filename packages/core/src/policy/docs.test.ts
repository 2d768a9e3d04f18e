import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { compileBundle } from './index.js';

const blocksOf = (page: string): string[] =>
  [...readFileSync(new URL(`../../../../docs/${page}`, import.meta.url), 'utf8').matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text);

const HEAD = 'apiVersion: countersign.dev/v1\nkind: PolicyBundle\n';
const REST = 'metadata: {name: docs, version: 1}\ndefaults: {outcome: deny, undeclared: deny}\n';

/** The beginning that an example leaves out. */
const whole = (text: string): string =>
  text.startsWith('apiVersion') ? text : /^defaults:/m.test(text) ? `${HEAD}metadata: {name: docs, version: 1}\n${text}` : HEAD + REST + text;

test('the specification’s examples of windows, of quiet hours, of schedules and of a whole bundle are of the language', () => {
  const blocks = blocksOf('policy.md').filter((text) => /^apiVersion|^windows|^quiet_hours|^schedules/m.test(text));
  expect(blocks.length).toBeGreaterThan(1);
  for (const text of blocks) {
    const result = compileBundle([{ path: 'policy.md', text: whole(text) }]);
    expect(result.ok ? [] : result.problems).toEqual([]);
  }
});
