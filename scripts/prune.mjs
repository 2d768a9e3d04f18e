/** Leaves in an image only what runs: no development packages, no sources of ours but what is read at run time. */
import path from 'node:path';
import { root, runQuietly } from './prepare.mjs';

runQuietly(
  path.join(root, 'node_modules', '.bin', 'pnpm'),
  ['install', '--prod', '--frozen-lockfile', '--ignore-scripts'],
  'The development packages could not be taken out.',
);
