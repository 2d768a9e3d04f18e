import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { StoreError } from '../errors.js';

const run = promisify(execFile);

/** Whom the server runs as: PostgreSQL refuses to run as root. */
export interface Account {
  /** True when we are root and PostgreSQL runs under another account. */
  switched: boolean;
  uid?: number;
  gid?: number;
}

/**
 * Ourselves; or, as root, the owner of the data when there is one, else the account `postgres`, made when it is missing, else `nobody`.
 *
 * @throws StoreError server_unsupported when the data belongs to somebody else, or root finds no account to run it under
 */
export async function serverAccount(dataFolder: string): Promise<Account> {
  const self = process.getuid?.();
  if (self === undefined) return { switched: false };
  const owner = await stat(dataFolder).catch(() => null);
  if (self !== 0) {
    if (owner !== null && owner.uid !== self)
      throw new StoreError(
        'server_unsupported',
        `${dataFolder} belongs to another user (uid ${owner.uid}): start as that user, or choose another COUNTERSIGN_HOME.`,
      );
    return { switched: false };
  }
  if (owner !== null && owner.uid !== 0) return { switched: true, uid: owner.uid, gid: owner.gid };
  const account = (await lookUp('postgres')) ?? (await makeAccount()) ?? (await lookUp('nobody'));
  if (account === null)
    throw new StoreError('server_unsupported', 'PostgreSQL does not run as root, and there is no account to run it under: start as an ordinary user.');
  return account;
}

async function lookUp(name: string): Promise<Account | null> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
    return { switched: true, uid: Number.parseInt(uid.stdout, 10), gid: Number.parseInt(gid.stdout, 10) };
  } catch {
    return null;
  }
}

async function makeAccount(): Promise<Account | null> {
  try {
    await run('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', 'postgres']);
  } catch {
    // Somebody else was faster, or there is no useradd here.
  }
  return lookUp('postgres');
}
