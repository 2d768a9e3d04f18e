import { type PolicyTestReport, runPolicyTests } from '@countersign/core/policy';
import { CliError, EXIT } from '../../cli-error.js';
import { type Command, readArguments } from '../../command.js';
import { needBundle } from '../../policy/compiled.js';
import { junit, tap } from '../../policy/test-formats.js';

export const policyTest: Command = {
  name: 'policy test',
  summary: 'run the tests of a policy bundle, with coverage',
  usage: `Usage: countersign policy test FILE|FOLDER [--min-rules PERCENT] [--min-conditions PERCENT] [--format text|json|junit|tap]
  Runs the tests that stand in a bundle, and says which rules matched and which conditions were both true and false. Works offline.
  --min-rules PERCENT      how many of the rules the tests must match; what the bundle's coverage demands counts as well
  --min-conditions PERCENT how many of the conditions they must see both ways
  Exit codes: 0 all passed and enough is covered, 1 not, 2 the bundle could not be read.`,
  async run(args, terminal) {
    const text = { type: 'string' } as const;
    const { values, positionals } = readArguments(args, { 'min-rules': text, 'min-conditions': text, format: { type: 'string', default: 'text' } }, 1);
    const [source] = positionals;
    if (source === undefined) throw new CliError('usage', 'Name a file or a folder.');
    const demand = { minRules: percent(values['min-rules'], '--min-rules'), minConditions: percent(values['min-conditions'], '--min-conditions') };
    const bundle = await needBundle(terminal.cwd, source);
    const report = runPolicyTests(bundle, bundle.tests, demand);
    const write = FORMATS[values.format];
    if (write === undefined) throw new CliError('usage', `--format is one of ${Object.keys(FORMATS).join(', ')}.`);
    terminal.out(write(bundle.name, report));
    return report.passed ? EXIT.fine : EXIT.wrong;
  },
};

const FORMATS: Readonly<Record<string, (name: string, report: PolicyTestReport) => string>> = {
  text: plain,
  json: (name, report) => JSON.stringify({ name, ...report }, null, 2),
  junit,
  tap,
};

function percent(written: string | undefined, option: string): number {
  if (written === undefined) return 0;
  const value = Number(written.replace(/%$/, ''));
  if (!(Number.isInteger(value) && value >= 0 && value <= 100)) throw new CliError('usage', `${option} is a whole number of per cent, at most 100.`);
  return value;
}

function plain(name: string, { results, coverage, shortfalls, passed }: PolicyTestReport): string {
  const failed = results.filter((result) => !result.passed);
  return [
    ...results.map((result) => `${result.passed ? 'ok  ' : 'FAIL'}  ${result.name}${result.failures.map((failure) => `\n      ${failure}`).join('')}`),
    ...(results.length === 0 ? [`${name} has no tests.`] : []),
    ...shortfalls.map((shortfall) => `FAIL  ${shortfall}`),
    ...(shortfalls.length > 0
      ? []
      : [
          ...coverage.rules.filter(({ matched }) => !matched).map(({ rule }) => `note  no test matches ${rule}`),
          ...coverage.conditions.flatMap(({ rule, role, condition, seenTrue, seenFalse }) => [
            ...(seenTrue ? [] : [`note  ${rule}: ${role} \`${condition}\` is never true`]),
            ...(seenFalse ? [] : [`note  ${rule}: ${role} \`${condition}\` is never false`]),
          ]),
        ]),
    `${name}: ${results.length - failed.length} passed, ${failed.length} failed; rules ${coverage.rulesShare} %, conditions ${coverage.conditionsShare} % both ways${passed ? '' : ': not good enough'}`,
  ].join('\n');
}
