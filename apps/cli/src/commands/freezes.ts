import { freezeListSchema, freezeSchema, type FreezeScope, type FreezeView, placedFreezeSchema } from '@countersign/contracts';
import { connect, CONNECTION_USAGE, connectionOptions } from '../caller/connection.js';
import { CliError, EXIT } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';

export const freeze: Command = {
  name: 'freeze',
  summary: 'stop an actor, a caller, an action or everything, at once',
  usage: `Usage: countersign freeze --reason TEXT (--everything | [--actor ID] [--caller KEY] [--action PATTERN]) [--for DURATION]
  Nothing that it holds opens, is approved or is redeemed until somebody else lifts it; denying goes on. Needs an administrator's personal
  token, or one of somebody who may freeze.
  --everything             all there is
  --actor ID               whoever acts, or on whose behalf
  --caller KEY             the id of an API key: key_…
  --action PATTERN         * is any run of characters: iam.*
  --for DURATION           ends by itself: 30m, 4h, 2d
${CONNECTION_USAGE}
  Exit codes: 0 in force, 1 refused, 2 could not be done.`,
  async run(args, terminal) {
    const { values } = readArguments(
      args,
      {
        ...connectionOptions,
        everything: { type: 'boolean', default: false },
        actor: { type: 'string' },
        caller: { type: 'string' },
        action: { type: 'string' },
        reason: { type: 'string' },
        for: { type: 'string' },
      },
      0,
    );
    const { everything, actor, caller, action, reason } = values;
    const named = { ...(actor === undefined ? {} : { actor }), ...(caller === undefined ? {} : { caller }), ...(action === undefined ? {} : { action }) };
    if (everything === Object.keys(named).length > 0) throw new CliError('usage', 'Say what to freeze: --everything, or --actor, --caller, --action.');
    if (reason === undefined || reason.trim() === '') throw new CliError('usage', 'Say why: --reason TEXT.');
    const expires_at = values.for === undefined ? undefined : new Date(Date.now() + millisecondsOf(values.for)).toISOString();
    const { post } = await connect(terminal, values, 'person');
    const scope: FreezeScope = everything ? { everything: true } : named;
    const placed = placedFreezeSchema.parse(await post('/v1/freezes', { scope, reason, ...(expires_at === undefined ? {} : { expires_at }) }));
    terminal.out(`${line(placed)}\n  holds ${placed.holds} ${placed.holds === 1 ? 'request' : 'requests'} that could have run`);
    return EXIT.fine;
  },
};

export const unfreeze: Command = {
  name: 'unfreeze',
  summary: 'lift a freeze that somebody else placed',
  usage: `Usage: countersign unfreeze FREEZE [--reason TEXT]
  A second person lifts: not who placed it, and nobody who stands behind what it names.
${CONNECTION_USAGE}
  Exit codes: 0 lifted, 1 refused, 2 could not be done.`,
  async run(args, terminal) {
    const { values, positionals } = readArguments(args, { ...connectionOptions, reason: { type: 'string' } }, 1);
    const [id] = positionals;
    if (id === undefined) throw new CliError('usage', 'Name the freeze: fz_…');
    const { call } = await connect(terminal, values, 'person');
    const query = values.reason === undefined ? '' : `?reason=${encodeURIComponent(values.reason)}`;
    terminal.out(line(freezeSchema.parse(await call('DELETE', `/v1/freezes/${encodeURIComponent(id)}${query}`))));
    return EXIT.fine;
  },
};

export const freezes: Command = {
  name: 'freezes',
  summary: 'list what is frozen',
  usage: `Usage: countersign freezes [--all] [--json]
  --all                    those that are over, too
${CONNECTION_USAGE}`,
  async run(args, terminal) {
    const { values } = readArguments(args, { ...connectionOptions, all: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } }, 0);
    const { call } = await connect(terminal, values, 'person');
    const { data } = freezeListSchema.parse(await call('GET', `/v1/freezes?state=${values.all ? 'all' : 'in_force'}`));
    terminal.out(values.json ? JSON.stringify(data, null, 2) : data.length === 0 ? 'Nothing is frozen.' : data.map(line).join('\n'));
    return EXIT.fine;
  },
};

function line({ id, scope, state, reason, placed_by, placed_at, expires_at, lifted_by, lifted_at }: FreezeView): string {
  const what =
    'everything' in scope
      ? 'everything'
      : Object.entries(scope)
          .map(([member, value]) => `${member} ${String(value)}`)
          .join(', ');
  const end =
    state === 'lifted'
      ? `lifted by ${lifted_by?.name ?? '?'} at ${lifted_at ?? '?'}`
      : state === 'over'
        ? 'over'
        : expires_at === null
          ? 'until it is lifted'
          : `until ${expires_at}`;
  return `${id}  ${what}  (${placed_by.name}, ${placed_at}, ${end})\n  ${reason.replaceAll(/\s+/g, ' ')}`;
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function millisecondsOf(duration: string): number {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(duration) ?? [];
  const ms = Number(count) * (UNITS[unit] ?? Number.NaN);
  if (!(ms > 0)) throw new CliError('usage', 'A duration is a whole number and s, m, h or d: 30m.');
  return ms;
}
