/** Takes the migrations along into dist, so that a built image can migrate. */
import { cpSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const store = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(store, 'dist', 'migrations');
rmSync(target, { recursive: true, force: true });
cpSync(join(store, '..', '..', 'prisma', 'migrations'), target, { recursive: true });
