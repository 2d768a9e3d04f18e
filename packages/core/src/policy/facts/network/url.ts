import { z } from 'zod';
import { computed, inputPath, textAt } from '../inputs.js';
import { factKind } from '../kinds.js';
import { MAX_URL, readUrl, URL_MEMBERS } from './read-url.js';

/** The parts of a URL: `facts.url`. */
export const url = factKind({
  options: z.strictObject({ from: inputPath }),
  result: { members: URL_MEMBERS },
  paths: ({ from }) => [from],
  compute: ({ from }, read) => computed(() => ({ value: readUrl(textAt(read, from, MAX_URL, 'the URL')) })),
});
