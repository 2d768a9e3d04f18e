import { openAuditSnapshot } from '@countersign/store';
import { CliError } from '../cli-error.js';
import { findDatabase, readQuickstart } from '../home.js';
import type { Terminal } from '../terminal.js';
import { databaseSource } from './database-source.js';
import type { LogSource } from './log-source.js';
import { urlSource } from './url-source.js';

export interface LiveOptions {
  url: string | undefined;
  token: string | undefined;
  databaseUrl: string | undefined;
  home: string;
  tenant: string;
}

/** The log of a running server or of a database. @throws CliError `usage`, `unusable` */
export async function liveSource(terminal: Terminal, options: LiveOptions): Promise<LogSource> {
  const { url, token, databaseUrl, home, tenant } = options;
  if (url !== undefined) return urlSource({ url: serviceUrl(url), tenant, tokens: await tokensFor(url, token, home) });
  const database = await findDatabase(terminal, { databaseUrl, home });
  if (database === null) throw new CliError('unusable', `No server runs on ${home}. Start it, or name --url or --database-url.`);
  return databaseSource(await openAuditSnapshot(database.url), tenant, database.what);
}

/** Tokens go only to the server that they are of. */
async function tokensFor(url: string, token: string | undefined, home: string): Promise<string[]> {
  if (token !== undefined) return [token];
  const quickstart = await readQuickstart(home);
  return quickstart !== null && sameService(quickstart.url, url) ? Object.values(quickstart.people).map((person) => person.token) : [];
}

function sameService(one: string, other: string): boolean {
  const loopback = (host: string): string => (['127.0.0.1', '[::1]'].includes(host) ? 'localhost' : host);
  if (!URL.canParse(one) || !URL.canParse(other)) return false;
  const [a, b] = [new URL(one), new URL(other)];
  return a.protocol === b.protocol && a.port === b.port && loopback(a.hostname) === loopback(b.hostname);
}

/** An address without a slash at its end. @throws CliError `usage` */
export function serviceUrl(url: string): string {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) throw new CliError('usage', `${JSON.stringify(url)} is no http or https address.`);
  return url.replace(/\/+$/, '');
}
