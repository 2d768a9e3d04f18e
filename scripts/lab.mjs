/** `npm run lab`: the built server under load and faults, and every invariant checked from outside. Options: `npm run lab -- --help`. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { prepare, root } from './prepare.mjs';

prepare({ say: (line) => process.stdout.write(`${line} …\n`) });
const args = [
  '--conditions=source',
  '--import',
  path.join(root, 'tests', 'lab', 'typescript.mjs'),
  path.join(root, 'tests', 'lab', 'run.ts'),
  ...process.argv.slice(2),
];
const lab = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
process.exit(lab.status ?? 1);
