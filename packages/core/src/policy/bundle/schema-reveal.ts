import { z } from 'zod';
import { duration, group } from './schema-parts.js';

/** What masks tell apart; see the docs of policy, "Revealing a value". */
const maskClass = z.enum(['secret', 'field', 'card', 'email', 'unscanned']);

const right = z.strictObject({
  groups: z.array(group).min(1).max(50),
  /** Absent: every class but secret. */
  classes: z.array(maskClass).min(1).max(20).optional(),
  /** How old the proof of who it is may be: a sign-in, or a passkey. */
  fresh: duration(86_400).optional(),
});

/** One right, or several; an empty list lets nobody see anything. */
export const reveal = z.union([right, z.array(right).max(20)]);
export type RevealDocument = z.infer<typeof reveal>;
