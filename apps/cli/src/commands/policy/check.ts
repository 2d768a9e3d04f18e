import path from 'node:path';
import { type CompiledBundle, type Member, type Unmet, unmetStages } from '@countersign/core/policy';
import { directoryInvalid, directoryText, readDirectory } from '@countersign/identity';
import { CliError, EXIT } from '../../cli-error.js';
import { type Command, readArguments } from '../../command.js';
import { annotation, problemLine, readBundle } from '../../policy/compiled.js';

export const policyCheck: Command = {
  name: 'policy check',
  summary: 'tell what is wrong with a policy bundle',
  usage: `Usage: countersign policy check FILE|FOLDER [--directory FILE] [--strict] [--format text|json|github]
  Reads a bundle as the service does: form, types, guards, cost, names; every problem and warning with its line. Works offline.
  --directory FILE         holds quorums against the people of a directory's file: groups that do not exist, stages that nobody can satisfy
  --strict                 a warning counts as a problem
  --format github          as GitHub Actions shows it beside the line
  Exit codes: 0 it can be used, 1 it cannot, 2 it could not be read.`,
  async run(args, terminal) {
    const { values, positionals } = readArguments(
      args,
      { directory: { type: 'string' }, strict: { type: 'boolean', default: false }, format: { type: 'string', default: 'text' } },
      1,
    );
    const [source] = positionals;
    if (source === undefined) throw new CliError('usage', 'Name a file or a folder.');
    const { format } = values;
    if (format !== 'text' && format !== 'json' && format !== 'github') throw new CliError('usage', '--format is text, json or github.');
    const read = await readBundle(terminal.cwd, source);
    const problems = read.bundle === null ? read.problems : [];
    const warnings = read.bundle === null ? [] : read.warnings;
    const findings = read.bundle === null || values.directory === undefined ? [] : heldAgainst(read.bundle, await membersOf(terminal.cwd, values.directory));
    const ok = problems.length === 0 && findings.every(({ kind }) => kind === 'warning') && !(values.strict && warnings.length + findings.length > 0);
    if (format === 'json') {
      const head = read.bundle === null ? {} : { policy_digest: read.bundle.digest, name: read.bundle.name, version: read.bundle.version };
      terminal.out(JSON.stringify({ ok, ...head, problems, warnings, findings }, null, 2));
    } else if (format === 'github') {
      for (const problem of problems) terminal.out(annotation('error', problem));
      for (const warning of warnings) terminal.out(annotation('warning', warning));
      for (const { kind, text } of findings) terminal.out(`::${kind}::${text}`);
    } else {
      for (const problem of problems) terminal.out(problemLine(problem));
      for (const warning of warnings) terminal.out(`warning: ${problemLine(warning)}`);
      for (const { kind, text } of findings) terminal.out(`${kind}: ${text}`);
      if (read.bundle !== null && ok) terminal.out(`OK: ${read.bundle.name}, ${read.bundle.rules.length} rules, ${read.bundle.digest}`);
    }
    return ok ? EXIT.fine : EXIT.wrong;
  },
};

interface Finding {
  kind: 'error' | 'warning';
  text: string;
}

/** What a directory cannot give. */
function heldAgainst(bundle: CompiledBundle, { members, groups }: { members: Member[]; groups: ReadonlySet<string> }): Finding[] {
  const filled = new Set(members.flatMap((member) => bundle.expandGroups(member.groups)));
  const unknown = bundle.groups.filter((group) => !groups.has(group) && !filled.has(group));
  const known = new Set(members.map(({ id }) => id.toLowerCase()));
  const strangers = bundle.people.filter((person) => !known.has(person.toLowerCase()));
  return [
    ...unknown.map((group): Finding => ({ kind: 'error', text: `the directory has no group "${group}"` })),
    ...strangers.map((person): Finding => ({ kind: 'error', text: `the directory has nobody active with the address ${person}` })),
    ...unmetStages(bundle, members).map((unmet): Finding => ({ kind: unmet.kind === 'never' ? 'error' : 'warning', text: unmetText(unmet) })),
  ];
}

function unmetText({ rule, stage, kind, people }: Unmet): string {
  const who = rule === null ? 'the defaults ask' : `the rule "${rule}" asks`;
  if (kind === 'never') return `nobody can satisfy what ${who} for: "${stage}" stays open though every member of its groups approves`;
  return `where ${people.join(' or ')} stands behind a request, nobody can satisfy what ${who} for: "${stage}" needs them`;
}

async function membersOf(cwd: string, file: string): Promise<{ members: Member[]; groups: Set<string> }> {
  const read = readDirectory(file, await directoryText(path.resolve(cwd, file)));
  if (!read.ok) throw new CliError('unusable', directoryInvalid(read.problems).message);
  const { people, groups } = read.directory;
  const within = new Map<string, Set<string>>();
  const add = (person: string, group: string): void => void within.set(person, (within.get(person) ?? new Set()).add(group));
  for (const person of people) for (const group of person.groups) add(person.email, group);
  for (const { name, members } of groups) {
    for (const ref of members) add(people.find(({ id, email }) => id === ref || email.toLowerCase() === ref.toLowerCase())?.email ?? ref, name);
  }
  // Groups in groups: until nothing is added. The directory's file has been checked for circles.
  for (let grew = true; grew;) {
    grew = false;
    for (const own of within.values()) {
      for (const { name, groups: parts } of groups) if (!own.has(name) && parts.some((part) => own.has(part))) grew = own.add(name).size > 0;
    }
  }
  return {
    members: people.filter(({ active }) => active).map(({ email }) => ({ id: email, groups: [...(within.get(email) ?? [])] })),
    groups: new Set([...groups.map(({ name }) => name), ...people.flatMap((person) => person.groups)]),
  };
}
