import { execFile, type ExecFileException } from 'node:child_process';
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { BundleFile } from '@countersign/core/policy';
import type { GitPolicy } from '@countersign/service';
import { PolicyFileError } from './policy-file.js';

export interface FetchedPolicy {
  files: BundleFile[];
  /** The full id of the commit. */
  commit: string;
  /** Who signed it, as the file of allowed signers names them; absent where no signature is demanded. */
  signer?: string;
}

/** How long one git command may take, in milliseconds. */
const TIMEOUT_MS = 60_000;
const MAX_FILES = 200;
const MAX_FILE_BYTES = 1024 * 1024;
const MAX_TOTAL_BYTES = 4 * 1024 * 1024;
const MAX_OUTPUT_BYTES = 8 * 1024 * 1024;
/** Our name for what was fetched. */
const REF = 'refs/countersign/policy';

/**
 * Fetches a policy with the real git into a bare repository of our own, and reads its files from there: nothing is checked out, so no hook,
 * filter, symbolic link or submodule of the repository is ever used.
 * @throws PolicyFileError in a line for the operator
 */
export async function fetchPolicy(source: GitPolicy, options: { folder: string; signers?: string | undefined; timeoutMs?: number }): Promise<FetchedPolicy> {
  const { folder, signers, timeoutMs = TIMEOUT_MS } = options;
  const git = (args: readonly string[]): Promise<string> => runGit(folder, args, { timeoutMs });
  await initialise(folder, timeoutMs);
  // `--` ends the options; address and ref were held against what git accepts when the configuration was read.
  await git([
    'fetch',
    '--quiet',
    '--depth=1',
    '--no-tags',
    '--force',
    '--no-recurse-submodules',
    '--no-write-fetch-head',
    '--',
    source.url,
    `${source.ref}:${REF}`,
  ]);
  const commit = (await git(['rev-parse', '--verify', '--end-of-options', `${REF}^{commit}`])).trim();
  const signer = signers === undefined ? undefined : await signerOf(git, signers, commit);
  return { files: await filesOf(git, commit, source.path), commit, ...(signer === undefined ? {} : { signer }) };
}

async function initialise(folder: string, timeoutMs: number): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const exists = await stat(path.join(folder, 'HEAD')).then(
    () => true,
    () => false,
  );
  if (!exists) await runGit(folder, ['init', '--quiet', '--bare', '--template=', '.'], { timeoutMs });
}

/** A signed tag or a signed commit, by a key of the file; a PGP or X.509 signature is none, whatever the service's keyring trusts. */
async function signerOf(git: (args: readonly string[]) => Promise<string>, signers: string, commit: string): Promise<string> {
  const settings = ['-c', 'gpg.format=ssh', '-c', `gpg.ssh.allowedSignersFile=${signers}`, '-c', 'gpg.program=false', '-c', 'gpg.x509.program=false'];
  const isTag = (await git(['cat-file', '-t', REF])).trim() === 'tag';
  const checks = [...(isTag ? [['verify-tag', '-v', REF]] : []), ['verify-commit', '-v', commit]];
  for (const check of checks) {
    // What git says of a signature it says on stderr.
    const said = await git([...settings, ...check]).then(
      (text) => text,
      () => null,
    );
    const signer = said === null ? null : /^Good "git" signature for (.+) with \S+ key SHA256:\S+$/m.exec(said)?.[1];
    if (signer != null) return signer;
  }
  throw new PolicyFileError(`The policy's commit ${commit} is not signed by any of the allowed signers.`);
}

async function filesOf(git: (args: readonly string[]) => Promise<string>, commit: string, wanted: string): Promise<BundleFile[]> {
  const listed = await git(['--literal-pathspecs', 'ls-tree', '-r', '-z', '-l', commit, '--', ...(wanted === '' ? [] : [wanted])]);
  const found = listed
    .split('\0')
    .filter((line) => line !== '')
    .flatMap((line) => {
      const [, mode = '', type = '', id = '', size = '', name = ''] = /^(\d+) (\w+) ([0-9a-f]+) +(\S+)\t([^]*)$/.exec(line) ?? [];
      // Plain files alone: a link or a submodule leads elsewhere. In a folder, those that are policy by their name; not those of folders in it.
      const direct = wanted === name || !name.slice(wanted === '' ? 0 : wanted.replace(/\/$/, '').length + 1).includes('/');
      return type === 'blob' && (mode === '100644' || mode === '100755') && direct && (name === wanted || /\.ya?ml$/.test(name))
        ? [{ id, size: Number(size), name }]
        : [];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (found.length === 0) throw new PolicyFileError(`The repository has no policy ${wanted === '' ? 'in its root' : `at ${wanted}`}.`);
  const total = found.reduce((sum, { size }) => sum + size, 0);
  if (found.length > MAX_FILES || total > MAX_TOTAL_BYTES || found.some(({ size }) => size > MAX_FILE_BYTES))
    throw new PolicyFileError(`The policy is too large: at most ${MAX_FILES} files, 1 MiB each and 4 MiB in all.`);
  const files: BundleFile[] = [];
  for (const { id, name } of found) files.push({ path: name, text: await git(['cat-file', 'blob', id]) });
  return files;
}

/** Nothing of the machine's or the user's git configuration counts, and no transport but those that an address may name. */
function environment(): NodeJS.ProcessEnv {
  const { PATH, HOME, SSH_AUTH_SOCK, GIT_SSH_COMMAND, HTTPS_PROXY, https_proxy, NO_PROXY, no_proxy, SSL_CERT_FILE, GIT_SSL_CAINFO } = process.env;
  const kept = { PATH, HOME, SSH_AUTH_SOCK, HTTPS_PROXY, https_proxy, NO_PROXY, no_proxy, SSL_CERT_FILE, GIT_SSL_CAINFO };
  return {
    ...Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined)),
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: 'false',
    GIT_ALLOW_PROTOCOL: 'https:http:ssh:file',
    GIT_NO_LAZY_FETCH: '1',
    GIT_SSH_COMMAND: GIT_SSH_COMMAND ?? 'ssh -oBatchMode=yes',
  };
}

const SETTINGS = [
  ...['core.hooksPath=/dev/null', 'core.fsmonitor=false', 'core.symlinks=false', 'credential.helper=', 'protocol.ext.allow=never'],
  ...['submodule.recurse=false', 'fetch.recurseSubmodules=false', 'fetch.fsckObjects=true', 'transfer.fsckObjects=true', 'gc.auto=0', 'maintenance.auto=false'],
  ...['http.followRedirects=false', 'advice.detachedHead=false'],
].flatMap((setting) => ['-c', setting]);

async function runGit(folder: string, args: readonly string[], { timeoutMs }: { timeoutMs: number }): Promise<string> {
  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((resolve, reject) => {
    execFile(
      'git',
      [...SETTINGS, ...args],
      {
        cwd: folder,
        env: { ...environment(), GIT_DIR: folder },
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: MAX_OUTPUT_BYTES,
        encoding: 'utf8',
        windowsHide: true,
      },
      (error, out, err) => (error === null ? resolve({ stdout: out, stderr: err }) : reject(gitError(error, err, timeoutMs))),
    );
  });
  return args.some((arg) => arg.startsWith('verify-')) ? `${stdout}\n${stderr}` : stdout;
}

function gitError(error: ExecFileException, stderr: string, timeoutMs: number): PolicyFileError {
  if (error.code === 'ENOENT') return new PolicyFileError('There is no git on PATH, and COUNTERSIGN_POLICY names a repository.', { cause: error });
  if (error.killed === true) return new PolicyFileError(`git did not end within ${timeoutMs / 1000} seconds.`, { cause: error });
  // A password in an address is nobody's to read.
  const said =
    stderr
      .trim()
      .split('\n')
      .at(-1)
      ?.replaceAll(/\/\/[^/@\s]*@/g, '//') ?? '';
  return new PolicyFileError(`The policy could not be fetched: ${said === '' ? 'git failed' : said.slice(0, 500)}`, { cause: error });
}
