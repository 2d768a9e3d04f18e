import { evaluationBodySchema } from '@countersign/contracts';
import { type CompiledBundle, inputOf, type Transition, Transitions } from '@countersign/core/policy';
import { z } from 'zod';
import { CliError } from '../cli-error.js';
import { readLines } from '../input.js';
import type { Terminal } from '../terminal.js';

const EXAMPLES = 5;

/** A request as a line of the file has it: what policy looks at, and what it may carry besides. */
const lineSchema = z.looseObject({ id: z.string().optional(), created_at: z.iso.datetime({ offset: true }).optional() });
/** What policy looks at. */
const LOOKED_AT = Object.keys(evaluationBodySchema.shape);

/** Evaluates the requests of a file under two bundles. @throws CliError `unusable` with the line that does not fit */
export async function replayFile(
  terminal: Terminal,
  before: CompiledBundle,
  after: CompiledBundle,
  file: string,
): Promise<{ from: string; to: string; replayed: number; transitions: Transition[] }> {
  const transitions = new Transitions(EXAMPLES);
  let replayed = 0;
  for (const { where, number, line } of await readLines(terminal, file, 'requests')) {
    const { id, now, request } = read(where, line);
    const input = inputOf({ name: 'replay', request, now, expect: { outcome: 'allow' } });
    transitions.add(id ?? `line ${number}`, before.evaluate(input), after.evaluate(input));
    replayed += 1;
  }
  return { from: before.digest, to: after.digest, replayed, transitions: transitions.all() };
}

function read(where: string, line: string) {
  const fail = (why: string, cause?: unknown): never => {
    throw new CliError('unusable', `${where}: ${why}`, { cause });
  };
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    return fail('is no JSON', cause);
  }
  const outer = lineSchema.safeParse(value);
  if (!outer.success) return fail('is no request');
  const request = evaluationBodySchema.safeParse(Object.fromEntries(Object.entries(outer.data).filter(([name]) => LOOKED_AT.includes(name))));
  if (!request.success) return fail(request.error.issues.map((issue) => `${issue.path.join('.') || 'it'} ${issue.message}`).join('; '));
  return { id: outer.data.id, now: outer.data.created_at ?? new Date().toISOString(), request: request.data };
}
