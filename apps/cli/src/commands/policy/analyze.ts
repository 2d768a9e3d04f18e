import { analyze, type PolicyInput } from '@countersign/core/policy';
import { CliError, EXIT } from '../../cli-error.js';
import { type Command, readArguments } from '../../command.js';
import { needBundle } from '../../policy/compiled.js';

export const policyAnalyze: Command = {
  name: 'policy analyze',
  summary: 'find rules that never match, that others cover or overrule, and requests that no rule speaks of',
  usage: `Usage: countersign policy analyze FILE|FOLDER [--json]
  Reads a bundle without any request. What it reports as never and covered is proved. Where an allowing rule meets one that restricts, it shows a
  request on which both match, or says that it found none. Gaps are tried for each action, environment and type of actor that the bundle names.
  Exit codes: 0 nothing is dead, 1 a rule never matches or is covered, 2 the bundle could not be read.`,
  async run(args, terminal) {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean', default: false } }, 1);
    const [source] = positionals;
    if (source === undefined) throw new CliError('usage', 'Name a file or a folder.');
    const found = analyze(await needBundle(terminal.cwd, source), new Date().toISOString());
    const { never, covered, conflicts, gaps, pairs } = found;
    if (values.json) terminal.out(JSON.stringify(found, null, 2));
    else {
      for (const { rule, why } of never) terminal.out(`never     ${rule}: ${why}`);
      for (const { rule, by, effect } of covered) terminal.out(`covered   ${rule} adds nothing: wherever it matches, ${by} (${effect}) does too`);
      for (const conflict of conflicts) {
        terminal.out(
          `overruled ${conflict.rule} allows what ${conflict.with} (${conflict.effect}) restricts${conflict.witness === null ? '; no request was found' : `: ${text(conflict.witness)}`}`,
        );
      }
      for (const { action, environment, actor_type, effect, witness } of gaps) {
        terminal.out(`gap       ${action} in ${environment ?? 'no environment'} by a ${actor_type}: no rule, so ${effect}: ${text(witness)}`);
      }
      terminal.out(
        `${pairs} pairs of rules compared: ${never.length} never match, ${covered.length} are covered, ${conflicts.length} are overruled, ${gaps.length} gaps`,
      );
    }
    return never.length + covered.length === 0 ? EXIT.fine : EXIT.wrong;
  },
};

/** As `policy explain --request` reads it. */
const text = ({ now: _now, ...request }: PolicyInput): string => JSON.stringify(request);
