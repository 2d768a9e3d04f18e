/**
 * Writes Prisma's client into src/generated; does nothing when schema and Prisma are those of the last time.
 * The client needs no schema engine, but `prisma generate` insists on one and would download it: any program that exists will do.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const store = dirname(dirname(fileURLToPath(import.meta.url)));
const root = dirname(dirname(store));
const schema = join(root, 'prisma', 'schema.prisma');
const stamp = join(store, 'src', 'generated', '.stamp');
const prisma = createRequire(import.meta.url).resolve('prisma/package.json');

const { version } = JSON.parse(readFileSync(prisma, 'utf8'));
const wanted = createHash('sha256').update(version).update('\0').update(readFileSync(schema)).digest('hex');
if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(dirname(prisma), 'build', 'index.js'), 'generate', '--no-hints', '--schema', schema], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, PRISMA_HIDE_UPDATE_MESSAGE: '1', CHECKPOINT_DISABLE: '1' },
  });
  if (status !== 0) {
    process.stderr.write(`${stdout}\n${stderr}\n`);
    process.exit(1);
  }
  writeFileSync(stamp, wanted);
}
