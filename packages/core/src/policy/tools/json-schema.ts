import type { JsonObject } from '@countersign/contracts';
import { z } from 'zod';
import { bundleSchema } from '../bundle/schema.js';

/**
 * The JSON Schema (draft 2020-12) of a policy file, for editors. It says what the members are and what they hold; what ties them together
 * (names that must exist, conditions that must compile) only compiling says.
 */
export function bundleJsonSchema(): JsonObject {
  // A folder's files may each leave out what another has.
  const file = bundleSchema.partial({ metadata: true, defaults: true });
  // zod's answer is JSON; its type does not say so.
  const schema = z.toJSONSchema(file, { io: 'input', unrepresentable: 'any' }) as unknown as JsonObject;
  return { ...schema, title: 'Countersign policy bundle' };
}
