import type { JsonObject, JsonValue } from '@countersign/contracts';
import { type PatchPath, parsePatchPath } from './filter.js';
import { lowerOf, member, needSchema, objectOf } from './read-values.js';
import { bad } from './scim-error.js';
import { ENTERPRISE, GROUP, PATCH, USER } from './schema-names.js';

/** One operation on one attribute. Several of them make what a client wrote as one without a path. */
export interface PatchStep {
  op: 'add' | 'replace' | 'remove';
  path: PatchPath;
  /** Undefined: none was given. */
  value: JsonValue | undefined;
}

/** Operations at most, as written. */
const MOST = 1_000;

/**
 * The steps of a PATCH body (RFC 7644, section 3.5.2), in the shapes that clients send: operations in any case; without a path, with
 * members that are nested, dotted (`name.givenName`), filtered (`emails[type eq "work"].value`) or named by URN.
 * Throws ScimError.
 */
export function patchSteps(body: JsonValue | undefined): PatchStep[] {
  if (body === null || typeof body !== 'object' || Array.isArray(body)) throw bad('invalidSyntax', 'The body must be a PatchOp.');
  if (member(body, 'schemas') !== undefined) needSchema(body, PATCH);
  const operations = member(body, 'Operations');
  if (!Array.isArray(operations) || operations.length === 0) throw bad('invalidSyntax', 'Operations must be a list, and not empty.');
  if (operations.length > MOST) throw bad('tooMany', `There are at most ${MOST} operations.`);
  return operations.flatMap((operation): PatchStep[] => {
    const it = objectOf(operation, 'An operation');
    const op = lowerOf(member(it, 'op'));
    if (op !== 'add' && op !== 'replace' && op !== 'remove') throw bad('invalidSyntax', 'op must be add, replace or remove.');
    const path = member(it, 'path');
    const value = member(it, 'value');
    if (op !== 'remove' && value === undefined) throw bad('invalidValue', `"${op}" needs a value.`);
    if (typeof path === 'string' && path !== '') return stepsAt(op, path, value);
    if (path !== undefined && path !== null && path !== '') throw bad('invalidPath', 'path must be text.');
    if (op === 'remove') throw bad('noTarget', '"remove" needs a path.');
    return stepsOf(op, objectOf(value, 'The value of an operation without a path'));
  });
}

/** A path that names a whole extension has its attributes as value. */
function stepsAt(op: PatchStep['op'], path: string, value: JsonValue | undefined): PatchStep[] {
  if (isUrn(path)) {
    if (op === 'remove') throw bad('invalidPath', 'Name the attribute that shall go.');
    return stepsOf(op, objectOf(value, `The value of ${path}`), `${path}:`);
  }
  return [{ op, path: parsePatchPath(path), value }];
}

function stepsOf(op: 'add' | 'replace', value: JsonObject, prefix = ''): PatchStep[] {
  return Object.entries(value).flatMap(([name, inner]): PatchStep[] => {
    if (['schemas', 'id', 'meta'].includes(name.toLowerCase())) return [];
    if (isUrn(name)) return stepsOf(op, objectOf(inner, name), `${name}:`);
    const path = parsePatchPath(prefix + name);
    const isComplex = path.attribute === 'name' && path.sub === null && inner !== null && typeof inner === 'object' && !Array.isArray(inner);
    return isComplex ? stepsOf(op, inner, `${prefix}${name}.`) : [{ op, path, value: inner }];
  });
}

const isUrn = (text: string): boolean => [ENTERPRISE, USER, GROUP].some((urn) => urn.toLowerCase() === text.trim().toLowerCase());
