/** `npm start`: installs, builds, and runs every role in this process. Arguments go to the server (`npm start -- --role intake`). */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { prepare, root } from './prepare.mjs';

prepare({ say: (line) => process.stdout.write(`${line} …\n`) });
await import(pathToFileURL(path.join(root, 'apps', 'server', 'dist', 'main.js')).href);
