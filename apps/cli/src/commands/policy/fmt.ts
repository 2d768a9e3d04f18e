import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isMap, isScalar, parseDocument } from 'yaml';
import { CliError, EXIT } from '../../cli-error.js';
import { type Command, readArguments } from '../../command.js';
import { bundleFiles } from './upload.js';

/** The members of a bundle in the order in which they are read. */
const ORDER = [
  'apiVersion',
  'kind',
  'metadata',
  'defaults',
  'groups',
  'schedules',
  'catalogue',
  'windows',
  'quiet_hours',
  'digest',
  'lets',
  'rules',
  'tests',
  'coverage',
];

export const policyFmt: Command = {
  name: 'policy fmt',
  summary: 'lay policy files out alike',
  usage: `Usage: countersign policy fmt FILE|FOLDER [--check]
  Writes the files in one layout: members in the order of the specification, two spaces; comments and meaning stay. Says which it changed.
  --check                  changes nothing
  Exit codes: 0 all are in order now (with --check: were), 1 with --check: some are not, 2 a file is no YAML.`,
  async run(args, terminal) {
    const { values, positionals } = readArguments(args, { check: { type: 'boolean', default: false } }, 1);
    const [source] = positionals;
    if (source === undefined) throw new CliError('usage', 'Name a file or a folder.');
    const changed: string[] = [];
    for (const { path: file, text } of await bundleFiles(terminal.cwd, source)) {
      const laidOut = layOut(file, text);
      if (laidOut === text) continue;
      changed.push(file);
      if (!values.check) await writeFile(path.resolve(terminal.cwd, file), laidOut);
    }
    for (const file of changed) terminal.out(values.check ? `${file} is not in order` : `${file} written`);
    return values.check && changed.length > 0 ? EXIT.wrong : EXIT.fine;
  },
};

/** @throws CliError `unusable` where it is no YAML */
export function layOut(file: string, text: string): string {
  const document = parseDocument(text, { version: '1.2', schema: 'core', merge: false, keepSourceTokens: false });
  const [fault] = document.errors;
  if (fault !== undefined) throw new CliError('unusable', `${file} is no YAML: ${fault.message.split('\n')[0] ?? ''}`);
  if (isMap(document.contents)) {
    const place = (key: unknown): number => {
      const at = ORDER.indexOf(isScalar(key) ? String(key.value) : '');
      return at < 0 ? ORDER.length : at;
    };
    const [first] = document.contents.items;
    document.contents.items.sort((a, b) => place(a.key) - place(b.key));
    // What stands above the first member stays above it all: it speaks of the file.
    const [now] = document.contents.items;
    if (first !== now && isScalar(first?.key) && isScalar(now?.key) && first.key.commentBefore != null) {
      now.key.commentBefore = first.key.commentBefore;
      first.key.commentBefore = null;
    }
  }
  return document.toString({ indent: 2, lineWidth: 140, flowCollectionPadding: true, singleQuote: true });
}
