import { policyComparisonSchema } from '@countersign/contracts';
import { connect, CONNECTION_USAGE, connectionOptions } from '../../caller/connection.js';
import { CliError, EXIT } from '../../cli-error.js';
import { type Command, readArguments } from '../../command.js';
import { needBundle } from '../../policy/compiled.js';
import { replayFile } from '../../policy/replay-file.js';
import { transitionLines } from '../../policy/transition-lines.js';
import { bundleFiles } from './upload.js';

export const policyReplay: Command = {
  name: 'policy replay',
  summary: 'say what a draft would have made of past requests',
  usage: `Usage: countersign policy replay DRAFT [--days DAYS] [--requests COUNT]
       countersign policy replay DRAFT --against FILE|FOLDER --file REQUESTS
  Asks the service how the requests of the last days would have come out under a draft, beside the policy in force; or, offline, evaluates the
  requests of a file (JSON lines: bodies of action requests, each with id and created_at where known) under two bundles. Changes nothing.
  --days DAYS              how far back (default 30)
  --requests COUNT         at most so many, the latest (default 10000)
  --against FILE|FOLDER    the bundle to compare with, offline
  --file REQUESTS          the requests, offline; - is standard input
  --json                   as JSON
  --fail-on-loosening      exit code 1 where a request would have needed less
${CONNECTION_USAGE}  Needs an administrator's or auditor's personal token, unless offline.`,
  async run(args, terminal) {
    const text = { type: 'string' } as const;
    const flag = { type: 'boolean', default: false } as const;
    const { values, positionals } = readArguments(
      args,
      { ...connectionOptions, days: text, requests: text, against: text, file: text, json: flag, 'fail-on-loosening': flag },
      1,
    );
    const [draft] = positionals;
    if (draft === undefined) throw new CliError('usage', 'Name the draft.');
    if ((values.against === undefined) !== (values.file === undefined)) throw new CliError('usage', 'Offline, give both --against and --file.');
    // A draft that does not compile is told with its lines before anybody is asked.
    const bundle = await needBundle(terminal.cwd, draft);
    const comparison =
      values.against === undefined || values.file === undefined
        ? policyComparisonSchema.parse(
            await (
              await connect(terminal, values, 'person')
            ).post('/v1/policies/replay', {
              files: await bundleFiles(terminal.cwd, draft),
              days: whole(values.days ?? '30', '--days'),
              requests: whole(values.requests ?? '10000', '--requests'),
            }),
          )
        : await replayFile(terminal, await needBundle(terminal.cwd, values.against), bundle, values.file);
    if (values.json) terminal.out(JSON.stringify(comparison, null, 2));
    else for (const line of transitionLines(comparison)) terminal.out(line);
    const loosened = comparison.transitions.some(({ direction }) => direction === 'looser');
    return loosened && values['fail-on-loosening'] ? EXIT.wrong : EXIT.fine;
  },
};

function whole(written: string, option: string): number {
  const value = Number(written);
  if (!(Number.isInteger(value) && value > 0)) throw new CliError('usage', `${option} is a whole number.`);
  return value;
}
