import { createClient, type Client } from '@countersign/client';
import { z } from 'zod';
import { CliError, messageOf } from '../cli-error.js';
import { filled, homeOf, readQuickstart } from '../home.js';
import type { Terminal } from '../terminal.js';

/** Options of every command that talks to a service. */
export const connectionOptions = { home: { type: 'string' }, as: { type: 'string' } } as const;

export const CONNECTION_USAGE = `  The service is COUNTERSIGN_URL; a caller is COUNTERSIGN_API_KEY, a person COUNTERSIGN_TOKEN. Where there is no COUNTERSIGN_URL, a
  quickstart's file gives all three: --home FOLDER says where it is, --as EMAIL which of its people you are.`;

export interface Connection {
  client: Client;
  /** A call that the client has no method for. @throws CliError `refused`, `unusable` */
  post(path: string, body?: object): Promise<unknown>;
  /** As post. */
  call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<unknown>;
}

/** Connects as a caller, as a person, or as whichever of the two there is. @throws CliError `unusable` */
export async function connect(
  terminal: Terminal,
  options: { home?: string | undefined; as?: string | undefined },
  who: 'caller' | 'person' | 'either',
): Promise<Connection> {
  const { url, credential } = await credentialOf(terminal, options, who);
  const call: Connection['call'] = async (method, path, body) => {
    const answer = await fetch(`${url.replace(/\/+$/, '')}${path}`, {
      method,
      redirect: 'error',
      signal: AbortSignal.timeout(30_000),
      headers: { authorization: `Bearer ${credential}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((cause: unknown) => {
      throw new CliError('unusable', `${url} does not answer: ${messageOf(cause)}.`, { cause });
    });
    const read: unknown = await answer.json().catch(() => null);
    if (answer.ok) return read;
    const problem = problemSchema.safeParse(read).data;
    if (problem === undefined) throw new CliError('refused', `${url} answered ${answer.status}.`);
    const errors = (problem.errors ?? []).map(({ detail }) => `\n  ${detail}`).join('');
    throw new CliError('refused', `${problem.code}: ${errors === '' ? problem.detail : `${problem.detail}${errors}`}`);
  };
  return { client: createClient({ url, apiKey: credential }), post: (path, body) => call('POST', path, body), call };
}

const problemSchema = z.looseObject({ code: z.string(), detail: z.string(), errors: z.array(z.looseObject({ detail: z.string() })).optional() });

async function credentialOf(terminal: Terminal, options: { home?: string | undefined; as?: string | undefined }, who: 'caller' | 'person' | 'either') {
  const { COUNTERSIGN_URL, COUNTERSIGN_API_KEY, COUNTERSIGN_TOKEN } = terminal.env;
  const [key, token] = [filled(COUNTERSIGN_API_KEY), filled(COUNTERSIGN_TOKEN)];
  const named = filled(COUNTERSIGN_URL);
  const home = homeOf(terminal, options.home);
  // A quickstart's keys are for the quickstart: they are never sent to a service that was named.
  const quickstart = named === undefined ? await readQuickstart(home) : null;
  const url = named ?? quickstart?.url;
  if (url === undefined) throw new CliError('unusable', `There is no service: set COUNTERSIGN_URL, or start the quickstart (there is none in ${home}).`);
  const person = options.as === undefined ? undefined : quickstart?.people[options.as]?.token;
  if (options.as !== undefined && person === undefined) throw new CliError('unusable', `The quickstart knows nobody called ${options.as}.`);
  const quickstartKey = typeof quickstart?.['api_key'] === 'string' ? quickstart['api_key'] : undefined;
  const asCaller = key ?? quickstartKey;
  const asPerson = person ?? token;
  const credential = who === 'caller' ? asCaller : who === 'person' ? asPerson : (asPerson ?? asCaller);
  if (credential === undefined) {
    throw new CliError(
      'unusable',
      who === 'caller'
        ? 'There is no API key: set COUNTERSIGN_API_KEY.'
        : 'Who are you? Set COUNTERSIGN_TOKEN to your personal token, or, in a quickstart, say --as EMAIL.',
    );
  }
  return { url, credential };
}
