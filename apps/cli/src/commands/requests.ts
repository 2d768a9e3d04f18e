import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Action, ActionRequest, SubmitOptions } from '@countersign/client';
import { submissionSchema } from '@countersign/contracts';
import { parseStrictJson } from '@countersign/core/request';
import { ACTION_USAGE, actionOptions, actorOf, askOptions, secondsOf, typeAndId } from '../caller/action-options.js';
import { connect, CONNECTION_USAGE, connectionOptions } from '../caller/connection.js';
import { EXIT_USAGE, exitOfFault, exitOfStatus } from '../caller/exit-codes.js';
import { describeRequest, interruption, showWaiting } from '../caller/progress.js';
import { CliError, EXIT, messageOf } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';
import type { Terminal } from '../terminal.js';

const json = { json: { type: 'boolean', default: false } } as const;

/** Faults of the client get their exit code; all else is the command's frame to say. */
function withExitCodes(command: Command): Command {
  return {
    ...command,
    run: (args, terminal) =>
      command.run(args, terminal).catch((error: unknown) => {
        const code = exitOfFault(error);
        if (code === undefined) throw error;
        terminal.err(`countersign ${command.name}: ${messageOf(error)}`);
        return code;
      }),
  };
}

export const request: Command = withExitCodes({
  name: 'request',
  summary: 'ask whether an action may run',
  usage: `Usage: countersign request --action NAME --resource TYPE/ID --actor TYPE/ID [options]
       countersign request --body FILE [options]
  Asks, and prints the request. The answer comes later: see countersign wait.
  --action NAME
  --resource TYPE/ID
  --parameters JSON        what will run
  --body FILE              the whole request as JSON instead; - is standard input
${ACTION_USAGE}
  --wait                   wait until it is settled
  --json                   the request as JSON
${CONNECTION_USAGE}
${EXIT_USAGE}`,
  async run(args, terminal) {
    const { values } = readArguments(
      args,
      {
        ...connectionOptions,
        ...actionOptions,
        ...json,
        action: { type: 'string' },
        parameters: { type: 'string' },
        body: { type: 'string' },
        wait: { type: 'boolean', default: false },
      },
      0,
    );
    const given = askOptions(values);
    const { timeoutSeconds, ...options } = given;
    const { action, extras } = values.body === undefined ? { action: actionOfOptions(values, terminal), extras: {} } : await bodyOf(values.body, terminal);
    const connection = await connect(terminal, values, 'caller');
    const asked = await connection.client.submit(action, { ...extras, ...options });
    if (!values.wait) {
      terminal.out(values.json ? JSON.stringify(asked, null, 2) : describeRequest(asked));
      return asked.status === 'pending' ? EXIT.fine : exitOfStatus(asked.status);
    }
    return waitFor(terminal, connection.client, asked, { timeoutSeconds, json: values.json, cancel: true });
  },
});

export const wait: Command = withExitCodes({
  name: 'wait',
  summary: 'wait until a request is settled',
  usage: `Usage: countersign wait ID [--timeout SECONDS] [--cancel] [--json]
  Ends with 0 when it is approved. The approval is not used by this.
  --cancel                 take the request back on Ctrl-C
${CONNECTION_USAGE}
${EXIT_USAGE}`,
  async run(args, terminal) {
    const { values, positionals } = readArguments(
      args,
      { ...connectionOptions, ...json, timeout: { type: 'string' }, cancel: { type: 'boolean', default: false } },
      1,
    );
    const { client } = await connect(terminal, values, 'either');
    return waitFor(terminal, client, await client.get(idOf(positionals)), {
      timeoutSeconds: secondsOf(values.timeout, '--timeout'),
      json: values.json,
      cancel: values.cancel,
    });
  },
});

export const show: Command = withExitCodes({
  name: 'show',
  summary: 'show a request',
  usage: `Usage: countersign show ID [--json]\n${CONNECTION_USAGE}`,
  async run(args, terminal) {
    const { values, positionals } = readArguments(args, { ...connectionOptions, ...json }, 1);
    const { client } = await connect(terminal, values, 'either');
    const found = await client.get(idOf(positionals));
    terminal.out(values.json ? JSON.stringify(found, null, 2) : describeRequest(found));
    return EXIT.fine;
  },
});

export const list: Command = withExitCodes({
  name: 'list',
  summary: 'list the requests that you may see, newest first',
  usage: `Usage: countersign list [options]
  --status, --action, --actor, --resource, --decided-by, --from, --to, --limit   as GET /v1/action-requests has them
  --json                   the page as JSON
${CONNECTION_USAGE}`,
  async run(args, terminal) {
    const text = { type: 'string' } as const;
    const { values } = readArguments(
      args,
      { ...connectionOptions, ...json, status: text, action: text, actor: text, resource: text, 'decided-by': text, from: text, to: text, limit: text },
      0,
    );
    const { status, action, actor, resource, 'decided-by': decided_by, from, to, limit } = values;
    const query = Object.fromEntries(
      Object.entries({ status, action, actor, resource, decided_by, from, to, limit }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    );
    const { client } = await connect(terminal, values, 'either');
    const page = await client.list(query);
    terminal.out(values.json ? JSON.stringify(page, null, 2) : page.data.map(describeRequest).join('\n') || 'There is none.');
    return EXIT.fine;
  },
});

async function waitFor(
  terminal: Terminal,
  client: Awaited<ReturnType<typeof connect>>['client'],
  asked: ActionRequest,
  { timeoutSeconds, json, cancel }: { timeoutSeconds: number | undefined; json: boolean; cancel: boolean },
): Promise<number> {
  const interrupted = interruption();
  const waiting = showWaiting(terminal, asked);
  let settled: ActionRequest;
  try {
    settled = await client.wait(asked.id, { signal: interrupted.signal, ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }) });
  } catch (error) {
    if (interrupted.signal.aborted && cancel) await client.withdraw(asked.id);
    throw error;
  } finally {
    waiting.end();
    interrupted.end();
  }
  terminal.out(json ? JSON.stringify(settled, null, 2) : describeRequest(settled));
  return exitOfStatus(settled.status);
}

export function idOf([id]: readonly string[]): string {
  if (id === undefined) throw new CliError('usage', 'Name the request: ar_…');
  return id;
}

function actionOfOptions(values: Parameters<typeof actorOf>[0] & { action?: string | undefined; parameters?: string | undefined }, terminal: Terminal): Action {
  if (values.action === undefined || values.resource === undefined) throw new CliError('usage', 'Give --action and --resource, or --body.');
  const parameters = values.parameters === undefined ? undefined : jsonOf(values.parameters, '--parameters');
  if (parameters !== undefined && (parameters === null || typeof parameters !== 'object' || Array.isArray(parameters)))
    throw new CliError('usage', '--parameters is no JSON object.');
  return {
    action: values.action,
    resource: typeAndId(values.resource, '--resource'),
    ...(parameters === undefined ? {} : { parameters }),
    actor: actorOf(values, terminal),
    ...(values.environment === undefined ? {} : { environment: values.environment }),
  };
}

async function bodyOf(file: string, terminal: Terminal): Promise<{ action: Action; extras: SubmitOptions }> {
  const bytes =
    file === '-'
      ? await terminal.stdin()
      : await readFile(path.resolve(terminal.cwd, file)).catch((cause: unknown) => {
          throw new CliError('unusable', `${file} cannot be read.`, { cause });
        });
  const read = submissionSchema.safeParse(jsonOf(new Uint8Array(bytes), file));
  if (!read.success)
    throw new CliError('usage', `${file} is no request: ${read.error.issues.map((issue) => `/${issue.path.join('/')}: ${issue.message}`).join('; ')}`);
  const { action, resource, parameters, actor, environment, undo, ...extras } = read.data;
  if (undo !== undefined) throw new CliError('usage', `${file} has "undo", which this command does not send.`);
  return { action: { action, resource, parameters, actor, environment }, extras };
}

function jsonOf(input: string | Uint8Array, what: string) {
  const parsed = parseStrictJson(input);
  if (!parsed.ok) throw new CliError('usage', `${what} is no JSON: ${parsed.problem.detail}, line ${parsed.problem.line}.`);
  return parsed.value;
}
