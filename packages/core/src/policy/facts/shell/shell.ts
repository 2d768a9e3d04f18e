import type { JsonObject } from '@countersign/contracts';
import { z } from 'zod';
import { computed, inputPath, sorted, textAt, Unreadable } from '../inputs.js';
import { factKind } from '../kinds.js';
import { noShellFindings, readScript, readWords, type ShellFindings } from './read-script.js';

const MAX_LENGTH = 16_384;
const MAX_WORDS = 1_000;

/** What a command line starts: `facts.shell`. */
export const shell = factKind({
  options: z
    .strictObject({
      /** A text that a shell will read. */
      from: inputPath.optional(),
      /** A list of words that no shell reads, program first. */
      argv: inputPath.optional(),
    })
    .refine(({ from, argv }) => (from === undefined) !== (argv === undefined), 'name one of: from (a command line) and argv (a list of words)'),
  result: {
    members: {
      programs: { list: 'string' },
      commands: { list: { members: { program: 'string', args: { list: 'string' }, privileged: 'bool', dynamic: 'bool' } } },
      privileged: 'bool',
      opaque: 'bool',
      pipeline: 'bool',
      background: 'bool',
      substitutions: 'bool',
      dynamic: 'bool',
      writes_to: { list: 'string' },
      reads_from: { list: 'string' },
      assigns: { list: 'string' },
    },
  },
  paths: ({ from, argv }) => [from ?? argv ?? ''],
  compute: ({ from, argv }, read) =>
    computed(() => {
      const found = noShellFindings();
      if (from !== undefined) readScript(textAt(read, from, MAX_LENGTH, 'the command line'), found);
      else readWords(wordsAt(read(argv ?? '')), found);
      if (found.commands.length === 0) throw new Unreadable('there is no command in it');
      return { value: factsOf(found) };
    }),
});

function wordsAt(value: unknown): string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_WORDS) throw new Unreadable(`it is no list of 1 to ${MAX_WORDS} words`);
  return value.map((word: unknown) => {
    if (typeof word !== 'string' || word.length > MAX_LENGTH || word.includes('\0')) throw new Unreadable('a word of it is no text');
    return word;
  });
}

function factsOf(found: ShellFindings): JsonObject {
  return {
    programs: sorted(found.commands.map(({ program }) => program)),
    commands: found.commands.map(({ program, args, privileged }) => ({
      program,
      args: args.flatMap((word) => (word === undefined ? [] : [word])),
      privileged,
      dynamic: args.includes(undefined),
    })),
    privileged: found.commands.some(({ privileged }) => privileged),
    opaque: found.opaque,
    pipeline: found.pipeline,
    background: found.background,
    substitutions: found.substitutions,
    dynamic: found.dynamic,
    writes_to: sorted(found.written),
    reads_from: sorted(found.read),
    assigns: sorted(found.assigned),
  };
}
