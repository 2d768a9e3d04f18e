import { expect, test } from '@jest/globals';
import { COMMANDS } from './commands.js';

test('each command is called and described as it says itself', async () => {
  for (const { name, summary, load } of COMMANDS) expect(await load()).toMatchObject({ name, summary });
  expect(new Set(COMMANDS.map(({ name }) => name)).size).toBe(COMMANDS.length);
});
