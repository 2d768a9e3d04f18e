import type { JsonObject } from '@countersign/contracts';
import { z } from 'zod';
import { isObject, member, objectFrom, objectsIn, textsIn } from './documents.js';
import { computed, inputPath, sorted, Unreadable } from './inputs.js';
import { factKind } from './kinds.js';

const MAX_CHANGES = 5_000;
/** Lists that conditions read hold 1,000 elements; counts go on beyond. */
const MAX_LISTED = 1_000;

type Change = 'create' | 'update' | 'delete' | 'replace' | 'read' | 'no_op' | 'forget';

/** `change.actions` of Terraform's plan (JSON Output Format 1.x), joined. */
const ACTIONS: Readonly<Record<string, Change>> = {
  create: 'create',
  update: 'update',
  delete: 'delete',
  'delete,create': 'replace',
  'create,delete': 'replace',
  'create,forget': 'replace',
  read: 'read',
  'no-op': 'no_op',
  forget: 'forget',
};

/** What a Terraform plan will change: `facts.terraform`. */
export const terraform = factKind({
  options: z.strictObject({
    /** The plan as `terraform show -json` prints it, as an object or as its text. */
    plan: inputPath,
  }),
  result: {
    members: {
      create: 'int',
      update: 'int',
      delete: 'int',
      replace: 'int',
      forget: 'int',
      changes: 'int',
      destroys: 'bool',
      types: { list: 'string' },
      destroyed_types: { list: 'string' },
      destroyed: { list: 'string' },
      changed: { list: 'string' },
      providers: { list: 'string' },
      drift: 'bool',
      incomplete: 'bool',
      outputs_changed: 'bool',
    },
  },
  paths: ({ plan }) => [plan],
  compute: ({ plan }, read) => computed(() => ({ value: factsOf(objectFrom(read(plan), 'the plan')) })),
});

function factsOf(plan: JsonObject): JsonObject {
  const version = member(plan, 'format_version');
  if (typeof version !== 'string' || !/^1\.\d{1,3}$/.test(version)) throw new Unreadable('the plan is not of a format that is known');
  const changes = objectsIn(member(plan, 'resource_changes'), 'a change of the plan');
  if (changes.length > MAX_CHANGES) throw new Unreadable(`the plan has more than ${MAX_CHANGES} changes`);
  const counts: Record<Change, number> = { create: 0, update: 0, delete: 0, replace: 0, read: 0, no_op: 0, forget: 0 };
  const [types, providers, changed, destroyed, destroyedTypes] = [
    new Set<string>(),
    new Set<string>(),
    new Set<string>(),
    new Set<string>(),
    new Set<string>(),
  ];
  for (const change of changes) {
    const [address, type, provider] = [member(change, 'address'), member(change, 'type'), member(change, 'provider_name')];
    const inner = member(change, 'change');
    if (typeof address !== 'string' || typeof type !== 'string' || !isObject(inner)) throw new Unreadable('a change of the plan cannot be read');
    const actions = textsIn(member(inner, 'actions'), 'an action of the plan').join(',');
    const kind = Object.hasOwn(ACTIONS, actions) ? ACTIONS[actions] : undefined;
    if (kind === undefined) throw new Unreadable('an action of the plan is not known');
    counts[kind]++;
    if (kind === 'no_op' || kind === 'read') continue;
    types.add(type);
    if (typeof provider === 'string') providers.add(provider);
    changed.add(address);
    // A forgotten resource is not destroyed, but nobody looks after it any more.
    if (kind === 'delete' || kind === 'replace') {
      destroyed.add(address);
      destroyedTypes.add(type);
    }
  }
  const listed = (values: Set<string>): string[] => {
    if (values.size > MAX_LISTED) throw new Unreadable(`the plan changes more than ${MAX_LISTED} resources`);
    return sorted(values);
  };
  const outputs = member(plan, 'output_changes');
  const deferred = member(plan, 'deferred_changes');
  return {
    create: counts.create,
    update: counts.update,
    delete: counts.delete,
    replace: counts.replace,
    forget: counts.forget,
    changes: counts.create + counts.update + counts.delete + counts.replace + counts.forget,
    destroys: counts.delete + counts.replace > 0,
    types: listed(types),
    destroyed_types: listed(destroyedTypes),
    destroyed: listed(destroyed),
    changed: listed(changed),
    providers: listed(providers),
    drift: objectsIn(member(plan, 'resource_drift'), 'a drift of the plan').length > 0,
    incomplete: member(plan, 'complete') === false || member(plan, 'errored') === true || (Array.isArray(deferred) && deferred.length > 0),
    outputs_changed:
      isObject(outputs) && Object.values(outputs).some((output) => !isObject(output) || textsIn(member(output, 'actions'), 'an action').join() !== 'no-op'),
  };
}
