import { evaluationBodySchema, type EvaluationExplanation, evaluationExplanationSchema, type JsonValue } from '@countersign/contracts';
import { type CompiledBundle, inputOf } from '@countersign/core/policy';
import { connect, CONNECTION_USAGE, connectionOptions } from '../../caller/connection.js';
import { CliError, EXIT, messageOf } from '../../cli-error.js';
import { type Command, readArguments } from '../../command.js';
import { readText } from '../../input.js';
import { needBundle } from '../../policy/compiled.js';
import { explanationLines } from '../../policy/explanation-lines.js';

export const policyExplain: Command = {
  name: 'policy explain',
  summary: 'say why policy decides as it does',
  usage: `Usage: countersign policy explain FILE|FOLDER --request FILE|- [--now INSTANT]
       countersign policy explain ar_…
  Evaluates a request (the body of an action request or evaluation, JSON) against a bundle on this machine, and says of each rule whether it matched,
  which conditions were true and on which values, and which condition would have changed the effect. Or asks the service why it decided so of
  a request of its own; values are masked there.
  --now INSTANT            when it is asked, such as 2026-12-24T18:00:00Z (default now)
  --json                   as JSON
${CONNECTION_USAGE}`,
  async run(args, terminal) {
    const text = { type: 'string' } as const;
    const { values, positionals } = readArguments(args, { ...connectionOptions, request: text, now: text, json: { type: 'boolean', default: false } }, 1);
    const [source] = positionals;
    if (source === undefined) throw new CliError('usage', 'Name a bundle with --request, or the id of a request.');
    const explained = /^ar_[0-9a-f-]{36}$/.test(source)
      ? evaluationExplanationSchema.parse(await (await connect(terminal, values, 'either')).call('GET', `/v1/action-requests/${source}/explanation`))
      : explainHere(await needBundle(terminal.cwd, source), await requestOf(terminal, values.request ?? missing('--request')), instantOf(values.now));
    if (values.json) terminal.out(JSON.stringify(explained, null, 2));
    else for (const line of explanationLines(explained)) terminal.out(line);
    return EXIT.fine;
  },
};

function missing(option: string): never {
  throw new CliError('usage', `Give ${option}.`);
}

function instantOf(written: string | undefined): string {
  const at = written === undefined ? Date.now() : Date.parse(written);
  if (Number.isNaN(at)) throw new CliError('usage', '--now is an instant such as 2026-12-24T18:00:00Z.');
  return new Date(at).toISOString();
}

async function requestOf(terminal: Parameters<Command['run']>[1], file: string): Promise<object> {
  const text = await readText(terminal, file, 'request');
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch (cause) {
    throw new CliError('unusable', `The request ${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
  if (typeof read !== 'object' || read === null || Array.isArray(read)) throw new CliError('unusable', `The request ${file} is no JSON object.`);
  return read;
}

/** What of a submission policy does not look at. */
const BESIDE = ['purpose', 'callback', 'grant_audience', 'timeout_seconds', 'undo'];

/** The service's own structure, with the request's values unmasked: they are on this machine already. */
function explainHere(bundle: CompiledBundle, request: object, now: string): EvaluationExplanation {
  const parsed = evaluationBodySchema.safeParse(Object.fromEntries(Object.entries(request).filter(([name]) => !BESIDE.includes(name))));
  if (!parsed.success) {
    throw new CliError(
      'unusable',
      `The request does not fit: ${parsed.error.issues.map((issue) => `${issue.path.join('.') || 'it'} ${issue.message}`).join('; ')}.`,
    );
  }
  const input = inputOf({ name: 'explain', request: parsed.data, now, expect: { outcome: 'allow' } });
  const { effect, resolved, details, shadow } = bundle.evaluate(input);
  const at = (pointer: string): JsonValue | undefined =>
    pointer
      .split('/')
      .slice(1)
      .reduce<unknown>(
        (value, token) => (value === null || typeof value !== 'object' ? undefined : Reflect.get(value, token.replaceAll('~1', '/').replaceAll('~0', '~'))),
        input,
      ) as JsonValue | undefined; // What stands in a JSON document at a pointer is JSON.
  const written = (value: JsonValue | undefined): string | null => (value === undefined ? null : typeof value === 'string' ? value : JSON.stringify(value));
  return {
    effect,
    policy_digest: bundle.digest,
    policy: bundle.bundles.map(({ name, version, tier }) => ({ name, version, ...(tier === undefined ? {} : { tier }) })),
    at: input.now,
    resolved: { labels: resolved.labels, environment: resolved.environment ?? null, reversibility: resolved.reversibility },
    rules: details.rules.map(({ conditions, ...rule }) => ({
      ...rule,
      conditions: conditions.map(({ reads, ...condition }) => ({
        ...condition,
        values: reads.map((read) => ({
          path: read.path,
          value: 'missing' in read ? null : 'pointer' in read ? written(at(read.pointer)) : written('known' in read ? read.known : read.derived),
        })),
      })),
    })),
    other_rules: details.other_rules,
    beside: details.beside,
    shadow,
  };
}
