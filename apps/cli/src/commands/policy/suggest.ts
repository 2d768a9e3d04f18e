import { actionRequestListSchema, actionRequestSchema, policyComparisonSchema } from '@countersign/contracts';
import { compileBundle, type Decided, type Fatigue, fatigueOf, loadFactParsers, suggestionsOf } from '@countersign/core/policy';
import { connect, type Connection, CONNECTION_USAGE, connectionOptions } from '../../caller/connection.js';
import { CliError, EXIT, messageOf } from '../../cli-error.js';
import { type Command, readArguments } from '../../command.js';
import { readLines, readText } from '../../input.js';
import { problemLine } from '../../policy/compiled.js';
import { addItems, suggestedRule, suggestedTest } from '../../policy/suggested-rule.js';
import { transitionLines } from '../../policy/transition-lines.js';

export const policySuggest: Command = {
  name: 'policy suggest',
  summary: 'point to rules that never say no, with the change that would spare people',
  usage: `Usage: countersign policy suggest [--days DAYS] [--policy FILE] [--file ANSWERS]
  Reads past requests and says of each rule how often it asked people, how often they denied, how many decided, how fast, and the bound on
  denials. Requests that are alike and were never denied (30 at least, over 30 days, by 2 approvers) become a suggestion. Nothing is changed.
  --days DAYS              how far back (default 90)
  --policy FILE            shows the change to this file as a diff, with a test, and how past requests would have come out
  --file ANSWERS           the requests, as JSON lines of what the service answers of them, instead of asking it; - is standard input
  --json                   as JSON
${CONNECTION_USAGE}  Needs an auditor's or administrator's personal token, unless --file is given.`,
  async run(args, terminal) {
    const text = { type: 'string' } as const;
    const { values } = readArguments(
      args,
      { ...connectionOptions, days: { type: 'string', default: '90' }, policy: text, file: text, json: { type: 'boolean', default: false } },
      0,
    );
    const days = Number(values.days);
    if (!(Number.isInteger(days) && days > 0)) throw new CliError('usage', '--days is a whole number.');
    const service = values.file === undefined ? await connect(terminal, values, 'person') : null;
    const requests = service === null ? await ofFile(terminal, values.file ?? '') : await ofService(service, days);
    const [fatigue, suggestions] = [fatigueOf(requests), suggestionsOf(requests)];
    if (values.json) {
      terminal.out(JSON.stringify({ requests: requests.length, rules: fatigue, suggestions }, null, 2));
      return EXIT.fine;
    }
    for (const line of table(fatigue)) terminal.out(line);
    for (const { rule, median_seconds } of fatigue.filter(({ rubber_stamped }) => rubber_stamped)) {
      terminal.out(`Beware: ${rule} is decided in ${seconds(median_seconds)}: nobody reads so fast. Let the card say less, or the rule ask less often.`);
    }
    if (suggestions.length === 0) terminal.out('No suggestion: no requests that are alike were approved often and long enough without a denial.');
    const now = new Date();
    for (const { rule, actor, action, environment, decided, denial_bound } of suggestions) {
      terminal.out(
        `Suggestion: ${actor} asked ${decided} times for ${action} in ${environment} by ${rule}, never denied (below ${percent(denial_bound)} with 95 % confidence).`,
      );
    }
    if (values.policy !== undefined && suggestions.length > 0) {
      const source = await readText(terminal, values.policy, 'policy');
      const rules = addItems(
        values.policy,
        source,
        'rules',
        suggestions.map((each) => suggestedRule(each, now)),
      );
      const tests = addItems(
        values.policy,
        rules.text,
        'tests',
        suggestions.map((each) => suggestedTest(each, now)),
      );
      await loadFactParsers();
      const draft = compileBundle([{ path: values.policy, text: tests.text }]);
      if (!draft.ok) throw new CliError('refused', `With the suggested rules the policy does not load:\n${draft.problems.map(problemLine).join('\n')}`);
      terminal.out(rules.diff);
      terminal.out(tests.diff);
      if (service !== null) {
        const files = [{ path: values.policy, text: tests.text }];
        for (const line of transitionLines(policyComparisonSchema.parse(await service.post('/v1/policies/replay', { files, days: Math.min(days, 365) }))))
          terminal.out(line);
      }
    }
    return EXIT.fine;
  },
};

async function ofService({ call }: Connection, days: number): Promise<Decided[]> {
  const found: Decided[] = [];
  const from = encodeURIComponent(new Date(Date.now() - days * 86_400_000).toISOString());
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = actionRequestListSchema.parse(
      await call('GET', `/v1/action-requests?limit=200&from=${from}${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`),
    );
    found.push(...page.data);
    cursor = page.next_cursor;
  }
  return found;
}

async function ofFile(terminal: Parameters<Command['run']>[1], file: string): Promise<Decided[]> {
  return (await readLines(terminal, file, 'requests')).map(({ where, line }): Decided => {
    try {
      return actionRequestSchema.parse(JSON.parse(line));
    } catch (cause) {
      throw new CliError('unusable', `${where}: is no answer of the service: ${messageOf(cause)}`, { cause });
    }
  });
}

function table(rules: readonly Fatigue[]): string[] {
  const width = Math.max(4, ...rules.map(({ rule }) => rule.length));
  return [
    `${'rule'.padEnd(width)}  decided  denied  approvers  median      denials below`,
    ...rules.map(
      ({ rule, decided, denials, approvers, median_seconds, denial_bound }) =>
        `${rule.padEnd(width)}  ${String(decided).padStart(7)}  ${String(denials).padStart(6)}  ${String(approvers).padStart(9)}  ${seconds(median_seconds).padEnd(10)}  ${percent(denial_bound)}`,
    ),
  ];
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function seconds(value: number): string {
  if (value < 120) return `${value.toFixed(value < 10 ? 1 : 0)} s`;
  return value < 7200 ? `${Math.round(value / 60)} min` : `${(value / 3600).toFixed(1)} h`;
}
