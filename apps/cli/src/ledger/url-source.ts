import { readEntries, tilePath } from '@countersign/core/ledger';
import { CliError, messageOf } from '../cli-error.js';
import { linesOf } from './folder-source.js';
import { type LogSource, onlyLatest } from './log-source.js';

export interface ServerOptions {
  /** The service's address, without a slash at its end. */
  url: string;
  tenant: string;
  /** Tokens of which one may have audit rights, in the order in which they are tried. */
  tokens: readonly string[];
}

/**
 * The log that a running server publishes.
 * @throws CliError `unusable` where it does not answer; while reading also where none of the tokens may read entries
 */
export async function urlSource({ url, tenant, tokens }: ServerOptions): Promise<LogSource> {
  const base = `${url}/ledger/${encodeURIComponent(tenant)}`;
  const get = async (address: string, token?: string): Promise<{ status: number; bytes: Uint8Array }> => {
    try {
      const answer = await fetch(address, {
        redirect: 'error',
        signal: AbortSignal.timeout(30_000),
        ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
      });
      return { status: answer.status, bytes: new Uint8Array(await answer.arrayBuffer()) };
    } catch (cause) {
      // fetch hides what happened in the cause.
      const why = messageOf((cause as { cause?: unknown }).cause ?? cause);
      throw new CliError('unusable', `${url} does not answer: ${why}.`, { cause });
    }
  };
  const open = async (path: string): Promise<Uint8Array | null> => {
    const { status, bytes } = await get(`${base}/${path}`);
    if (status === 404) return null;
    if (status !== 200) throw new CliError('unusable', `${base}/${path} answered ${status}.`);
    return bytes;
  };
  let entitled = [...tokens];
  const bundle = async (path: string): Promise<Uint8Array | null> => {
    for (const token of entitled) {
      const { status, bytes } = await get(`${base}/${path}`, token);
      if (status === 401 || status === 403) continue;
      entitled = [token];
      if (status === 404) return null;
      if (status !== 200) throw new CliError('unusable', `${base}/${path} answered ${status}.`);
      return bytes;
    }
    throw new CliError('unusable', 'Entries are for auditors and administrators: give the personal token of one with --token.');
  };
  const note = await open('checkpoint');
  const latest = note === null ? null : Buffer.from(note).toString('utf8');
  return {
    what: `the server ${url}`,
    latest,
    checkpoints: () => onlyLatest(latest),
    entries: (size) => readEntries(size, bundle),
    tiles: (tile) => open(tilePath(tile)),
    offeredKeys: async () => linesOf(await open('vkey')),
    async jwks() {
      const { status, bytes } = await get(`${url}/.well-known/jwks.json`);
      // Shown and copied, never trusted.
      return status === 200 ? (JSON.parse(Buffer.from(bytes).toString('utf8')) as { keys: object[] }) : null;
    },
    close: () => Promise.resolve(),
  };
}
