import type { Action } from '@countersign/client';
import { CliError } from '../cli-error.js';
import { filled } from '../home.js';
import type { Terminal } from '../terminal.js';

/** Options that say who acts on what. */
export const actionOptions = {
  resource: { type: 'string' },
  actor: { type: 'string' },
  'on-behalf-of': { type: 'string' },
  environment: { type: 'string' },
  reason: { type: 'string' },
  key: { type: 'string' },
  expires: { type: 'string' },
  timeout: { type: 'string' },
} as const;

export const ACTION_USAGE = `  --actor TYPE/ID          who acts, for example pipeline/deploy; else COUNTERSIGN_ACTOR
  --on-behalf-of EMAIL     the person behind it
  --environment NAME
  --reason TEXT            why, for the people who decide
  --key TEXT               your name of this very attempt: asking again under it joins the request that is there
  --expires SECONDS        how long people have; policy's own time wins when it is shorter
  --timeout SECONDS        how long to wait here`;

export interface ActionValues {
  resource?: string | undefined;
  actor?: string | undefined;
  'on-behalf-of'?: string | undefined;
  environment?: string | undefined;
  reason?: string | undefined;
  key?: string | undefined;
  expires?: string | undefined;
  timeout?: string | undefined;
}

/** `TYPE/ID`; the id may hold slashes. @throws CliError `usage` */
export function typeAndId(text: string, option: string): { type: string; id: string } {
  const slash = text.indexOf('/');
  if (slash < 1 || slash === text.length - 1) throw new CliError('usage', `${option} is TYPE/ID, for example postgres_table/prod.customers.`);
  return { type: text.slice(0, slash), id: text.slice(slash + 1) };
}

/** @throws CliError `usage` */
export function actorOf(values: ActionValues, terminal: Terminal): Action['actor'] {
  const text = values.actor ?? filled(terminal.env['COUNTERSIGN_ACTOR']);
  if (text === undefined) throw new CliError('usage', 'Say who acts: --actor TYPE/ID, or COUNTERSIGN_ACTOR.');
  const person = values['on-behalf-of'];
  return { ...typeAndId(text, '--actor'), ...(person === undefined ? {} : { on_behalf_of: { type: 'person', id: person } }) };
}

/** What submit and wait take of them. @throws CliError `usage` */
export function askOptions(values: ActionValues) {
  const [expires, timeout] = [secondsOf(values.expires, '--expires'), secondsOf(values.timeout, '--timeout')];
  return {
    ...(values.reason === undefined ? {} : { reason: values.reason }),
    ...(values.key === undefined ? {} : { key: values.key }),
    ...(expires === undefined ? {} : { timeout_seconds: expires }),
    ...(timeout === undefined ? {} : { timeoutSeconds: timeout }),
  };
}

/** @throws CliError `usage` */
export function secondsOf(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new CliError('usage', `${option} is a number of seconds.`);
  return Number(text);
}
