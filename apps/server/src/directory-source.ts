import { stat } from 'node:fs/promises';
import { loadDirectory } from '@countersign/core/flow';
import { directoryInvalid, directoryText, readDirectory, snapshotOf } from '@countersign/identity';
import type { Logger, Shutdown } from '@countersign/service';
import type { World } from './world.js';

/** How often the file is looked at, in milliseconds. */
const LOOK_MS = 2_000;

/**
 * Puts the directory's file in force, all of it or nothing.
 * @throws IdentityError `directory_unreadable`, or `directory_invalid` with every problem, its file and line
 */
export async function loadDirectoryFile({ store, flow }: Pick<World, 'store' | 'flow'>, tenant: string, path: string): Promise<{ changed: number }> {
  const read = readDirectory(path, await directoryText(path));
  if (!read.ok) throw directoryInvalid(read.problems);
  const snapshot = snapshotOf(tenant, read.directory, await store.directory.list(tenant));
  const loaded = await loadDirectory({ ...flow, directory: store.directory }, tenant, snapshot, path);
  if (loaded.kind === 'loaded') return loaded;
  throw directoryInvalid(loaded.problems.map((problem) => ({ file: path, line: read.lineOf(problem.path), ...problem })));
}

/** Reads the file again whenever it changed. One that cannot be used changes nothing: what was in force stays, and the log says what is wrong. */
export function watchDirectoryFile(
  world: Pick<World, 'store' | 'flow'>,
  tenant: string,
  path: string,
  { log, shutdown }: { log: Logger; shutdown: Shutdown },
): void {
  let seen: string | null = null;
  let looking = Promise.resolve();
  const look = async (): Promise<void> => {
    const stamp = await stampOf(path);
    // The first look reads it too: it may have changed since the start did.
    if (stamp === seen) return;
    seen = stamp;
    try {
      const { changed } = await loadDirectoryFile(world, tenant, path);
      world.flow.announcer.announce('decisions');
      if (changed > 0) log.info({ file: path, changed }, 'The directory was read again');
    } catch (error) {
      log.error({ err: error, file: path }, 'The directory was changed and cannot be used: the one before stays in force');
    }
  };
  looking = look();
  const timer = setInterval(() => void (looking = looking.then(look)), LOOK_MS);
  shutdown.add('directory', async () => {
    clearInterval(timer);
    await looking;
  });
}

/** Changes with the file's content; an absent file has one too. A mounted ConfigMap is replaced, so the inode counts. */
async function stampOf(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return 'absent';
  }
}
