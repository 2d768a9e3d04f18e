/** `npm run bench`: installs, builds, and measures the built product. Options go to bench/run.mjs (`npm run bench -- --help`). */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { prepare, root } from './prepare.mjs';

prepare({ say: (line) => process.stdout.write(`${line} …\n`) });
await import(pathToFileURL(path.join(root, 'bench', 'run.mjs')).href);
