import type { FreezeBody, FreezeScope, FreezeView } from '@countersign/contracts';
import { type FlowDeps, type FreezeDeps, freezeView, liftFreeze, placeFreeze } from '@countersign/core/flow';
import type { FreezeRecord, Person } from '@countersign/core/ports';
import { makeVisible } from '@countersign/core/request';
import { count, time } from '../cards/card-words.js';
import { MOST_TEXT, reasonIn, sentence, shown, split, type Unclear } from './command-words.js';

/** Stopping things by a word in a chat, and letting them go on. */
export type FreezeCommand = { kind: 'freeze'; body: FreezeBody } | { kind: 'unfreeze'; id: string; reason: string | null } | { kind: 'freezes' };

export interface FreezeCommandDeps {
  tenant: string;
  freezes: FreezeDeps & Pick<FlowDeps, 'publicUrl'>;
  /** What a person writes before the words of a command on this platform, with a space at its end; empty: nothing. */
  spoken: string;
}

/** What is so where a command of these is not done. */
export const NOT_FROZEN = { freeze: 'nothing was frozen', unfreeze: 'nothing was lifted', freezes: 'nothing can be listed' } as const;

export async function doFreeze({ tenant, freezes: world, spoken }: FreezeCommandDeps, command: FreezeCommand, person: Person): Promise<string> {
  switch (command.kind) {
    case 'freeze': {
      const placed = await placeFreeze(world, { tenant, person }, command.body);
      if (placed.kind === 'not_allowed') return `${sentence(NOT_FROZEN.freeze)} ${placed.text}`;
      const { id, scope, reason } = placed.freeze;
      return [
        `Frozen: ${scopeText(scope)}. Nothing of it opens, is approved or is redeemed until somebody else lifts it.`,
        `It holds ${requests(placed.holds)} that could have run.`,
        `Freeze: ${id}`,
        `Reason: ${shown(reason, 1_000)}`,
        `A second person lifts it: ${spoken}unfreeze ${id}`,
      ].join('\n');
    }
    case 'unfreeze': {
      const lifted = await liftFreeze(world, { tenant, person }, command.id, command.reason);
      if (lifted.kind === 'not_allowed') return `${sentence(NOT_FROZEN.unfreeze)} ${lifted.text}`;
      return `Lifted: ${scopeText(lifted.freeze.scope)}, which ${shown(lifted.freeze.placed_by.name, 60)} froze.\nFreeze: ${lifted.freeze.id}`;
    }
    case 'freezes':
      return listText(await world.freezes.list(tenant, { open: true, limit: MOST_LISTED }), world);
  }
}

/** How many freezes are read for one list. */
const MOST_LISTED = 200;

function listText(found: readonly FreezeRecord[], { clock, publicUrl }: Pick<FlowDeps, 'clock' | 'publicUrl'>): string {
  const now = clock.now();
  const open = found.map((freeze) => freezeView(freeze, now)).filter(({ state }) => state === 'in_force');
  if (open.length === 0) return 'Nothing is frozen.';
  const lines: string[] = [];
  let room = MOST_TEXT;
  for (const freeze of open) {
    const line = lineOf(freeze);
    room -= line.length + 1;
    if (room < 0) break;
    lines.push(line);
  }
  const left = open.length - lines.length;
  if (left > 0) lines.push(`and ${count(left)} more: ${publicUrl}`);
  return lines.join('\n');
}

function lineOf({ id, scope, reason, placed_by, placed_at, expires_at }: FreezeView): string {
  const end = expires_at === null ? '' : `, until ${time(expires_at)}`;
  return `${id}: ${scopeText(scope)} (${shown(placed_by.name, 60)}, ${time(placed_at)}${end}): ${shown(reason, 150)}`;
}

const requests = (holds: number): string => (holds === 0 ? 'no request' : holds === 1 ? '1 request' : `${count(holds)} requests`);

function scopeText(scope: FreezeScope): string {
  if ('everything' in scope) return 'everything';
  const named = (['actor', 'caller', 'action'] as const).flatMap((member) => (scope[member] === undefined ? [] : [`${member} ${shown(scope[member], 128)}`]));
  return named.join(', ');
}

export function readFreeze(words: string): FreezeCommand | Unclear {
  const [what = '', rest] = split(words);
  const member = what.toLowerCase();
  if (member === 'everything') return { kind: 'freeze', body: { scope: { everything: true }, reason: reasonIn(rest) ?? NO_REASON } };
  if (member !== 'actor' && member !== 'caller' && member !== 'action') {
    return { kind: 'unclear', why: 'Say what to freeze: everything, actor ID, caller ID, or action PATTERN.' };
  }
  const [written = '', after] = split(rest);
  const named = written.replaceAll(/^[`"'“”„‘’]+|[`"'“”„‘’,;]+$/gu, '');
  if (named === '') return { kind: 'unclear', why: `Say which ${member} to freeze.` };
  // A freeze of what the eye does not see, or of a platform's mark, would hold nothing.
  if (/[<>\0]|\p{Cs}/u.test(named) || makeVisible(named).found.length > 0) {
    return { kind: 'unclear', why: `Write the ${member} letter by letter: it holds a mention, a link or characters that cannot be seen.` };
  }
  if (named.length > MOST_NAMED[member]) return { kind: 'unclear', why: `The ${member} may have ${String(MOST_NAMED[member])} characters.` };
  return { kind: 'freeze', body: { scope: { [member]: named }, reason: reasonIn(after) ?? NO_REASON } };
}

/** As the contract has it (contracts/src/freeze.ts). */
const MOST_NAMED = { actor: 320, caller: 256, action: 128 } as const;

/** Nobody is asked for words before an emergency stop. */
const NO_REASON = 'No reason was given.';

export function readUnfreeze(words: string): FreezeCommand | Unclear {
  const [written = '', rest] = split(words);
  const [id] = /fz_[0-9a-f-]{36}/.exec(written) ?? [];
  if (id === undefined) return { kind: 'unclear', why: 'Name the freeze: fz_…; "freezes" lists them.' };
  return { kind: 'unfreeze', id, reason: reasonIn(rest) };
}
