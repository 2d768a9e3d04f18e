import { onlyTightens } from '@countersign/core/policy';
import { CliError, EXIT } from '../../cli-error.js';
import { type Command, readArguments } from '../../command.js';
import { needBundle } from '../../policy/compiled.js';
import { replayFile } from '../../policy/replay-file.js';
import { ruleChanges } from '../../policy/rule-changes.js';
import { transitionLines } from '../../policy/transition-lines.js';

export const policyDiff: Command = {
  name: 'policy diff',
  summary: 'compare two policy bundles: their rules, and what may loosen',
  usage: `Usage: countersign policy diff OLD NEW [--file REQUESTS] [--json]
  Says which rules were added, removed or changed in which members, and whether the change may loosen anything. Works offline.
  --file REQUESTS          also how the requests of a file come out under both, as policy replay does
  Exit codes: 0 it only tightens, or nothing changed, 1 it may loosen, 2 a bundle could not be read.`,
  async run(args, terminal) {
    const { values, positionals } = readArguments(args, { file: { type: 'string' }, json: { type: 'boolean', default: false } }, 2);
    const [old, next] = positionals;
    if (old === undefined || next === undefined) throw new CliError('usage', 'Name two bundles.');
    const [before, after] = [await needBundle(terminal.cwd, old), await needBundle(terminal.cwd, next)];
    const rules = ruleChanges(before, after);
    const reasons = before.digest === after.digest ? [] : onlyTightens(before.canonical, after.canonical);
    const comparison = values.file === undefined ? null : await replayFile(terminal, before, after, values.file);
    if (values.json) terminal.out(JSON.stringify({ from: before.digest, to: after.digest, rules, reasons, comparison }, null, 2));
    else {
      for (const { rule, change, members } of rules) terminal.out(`${MARK[change]} ${rule}${members.length === 0 ? '' : `: ${members.join(', ')}`}`);
      for (const reason of reasons) terminal.out(`may loosen: ${reason}`);
      for (const line of comparison === null ? [] : transitionLines(comparison)) terminal.out(line);
      if (before.digest === after.digest) terminal.out('The bundles are the same.');
      else if (reasons.length === 0) terminal.out('It only tightens.');
    }
    return reasons.length > 0 || comparison?.transitions.some(({ direction }) => direction === 'looser') === true ? EXIT.wrong : EXIT.fine;
  },
};

const MARK = { added: '+', removed: '-', changed: '~' } as const;
