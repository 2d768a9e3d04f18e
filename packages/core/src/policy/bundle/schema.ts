import { effectSchema, MAX_GRANT_LIFE_SECONDS, reversibilitySchema } from '@countersign/contracts';
import { z } from 'zod';
import { MAX_CATALOGUE_ENTRIES, MAX_RULES } from './limits.js';
import { parseDuration } from './durations.js';
import { parseParameterType } from '../parameter-types.js';

export const API_VERSION = 'countersign.dev/v1';
export const KIND = 'PolicyBundle';

const MAX_TIMEOUT_SECONDS = 30 * 86_400;
const MAX_USE_WITHIN_SECONDS = 30 * 86_400;

const text = (max: number) => z.string().min(1).max(max);
const name = (what: string) =>
  z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$/, `${what}: a letter or digit, then letters, digits and . _ : / @ - only, at most 128`);
const pattern = (max: number) =>
  text(max)
    .refine((value) => value.split('*').length <= 9, 'a pattern has at most 8 stars')
    .refine((value) => !value.includes('**'), 'one * already stands for any run of characters, dots and slashes too');
const patterns = z.array(pattern(128)).min(1).max(200);
const duration = (maxSeconds: number) =>
  z.string().refine((value) => {
    const seconds = parseDuration(value);
    return seconds !== undefined && seconds <= maxSeconds;
  }, `a duration is a whole number and s, m, h or d, such as "30m", and here at most ${maxSeconds} seconds`);
const condition = z.string().min(1).max(4096);

const stage = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/, 'a stage name has letters, digits, spaces and . _ - only, at most 64')
    .refine((value) => !/^stage \d+$/.test(value), '"stage 1" and the like are the names of stages without a name')
    .optional(),
  all: z
    .array(z.strictObject({ group: name('a group'), quorum: z.int().min(1).max(50) }))
    .min(1)
    .max(20)
    .refine((all) => new Set(all.map(({ group }) => group)).size === all.length, 'a stage names each group once')
    .refine((all) => all.reduce((sum, { quorum }) => sum + quorum, 0) <= 100, 'a stage asks for at most 100 people'),
  distinct_humans: z.int().min(1).max(100).optional(),
});
export type StageDocument = z.infer<typeof stage>;

/** How long a grant lives, under its name and its old one, and how long the approval may be used at all. */
const usage = {
  ttl: duration(MAX_GRANT_LIFE_SECONDS).optional(),
  grant_ttl: duration(MAX_GRANT_LIFE_SECONDS).optional(),
  use_within: duration(MAX_USE_WITHIN_SECONDS).optional(),
};
const oneTtl = ({ ttl, grant_ttl }: { ttl?: string | undefined; grant_ttl?: string | undefined }): boolean => ttl === undefined || grant_ttl === undefined;
const TWO_TTLS = { message: 'ttl and grant_ttl are the same thing: write ttl alone', path: ['grant_ttl'] };

const require = z
  .strictObject({
    stages: z
      .array(stage)
      .min(1)
      .max(20)
      .refine((stages) => {
        const names = stages.flatMap(({ name }) => (name === undefined ? [] : [name]));
        return new Set(names).size === names.length;
      }, 'two stages have the same name')
      .optional(),
    deny_threshold: z.int().min(1).max(50).optional(),
    reason: z.enum(['approve', 'deny', 'both']).optional(),
    timeout: duration(MAX_TIMEOUT_SECONDS).optional(),
    ...usage,
  })
  .refine(oneTtl, TWO_TTLS);
export type RequireDocument = z.infer<typeof require>;

/** `parameters.rows[*].iban`: a root, then members, indexes, `[*]` for all elements, and quoted keys. */
export const PATH = /^(?:action|environment|reason|resource|actor|parameters|context)(?:\.[A-Za-z_][A-Za-z0-9_-]*|\[(?:\d{1,6}|\*|"[^"\\\]]{1,128}")\])*$/;
/** The same, and `*` for any member, `**` for any number of levels, as the masker reads them. */
const MASK_PATH =
  /^(?:action|environment|reason|resource|actor|parameters|context)(?:\.(?:\*\*?|[A-Za-z_][A-Za-z0-9_-]*)|\[(?:\d{1,6}|\*|"[^"\\\]]{1,128}")\])*$/;
const paths = (form: RegExp) => z.array(z.string().max(512).regex(form, 'a path is written like parameters.rows[*].iban')).max(200);

const rule = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'a rule id: a letter or digit, then letters, digits and . _ - only, at most 128'),
  effect: effectSchema,
  actions: patterns,
  resource_types: patterns.optional(),
  environments: patterns.optional(),
  when: condition.optional(),
  unless: condition.optional(),
  explain: text(1000).optional(),
  require: require.optional(),
  masks: paths(MASK_PATH).optional(),
  must_show: paths(PATH).optional(),
});
export type RuleDocument = z.infer<typeof rule>;

const resource = z.strictObject({
  type: text(128),
  id: pattern(1024),
  labels: z.record(z.string().min(1).max(64), z.string().max(256)).optional(),
  environment: text(64).optional(),
  reversibility: reversibilitySchema.optional(),
  owner: text(256).optional(),
});
export type ResourceDocument = z.infer<typeof resource>;

const parameterType = z
  .string()
  .max(128)
  .refine(
    (value) => parseParameterType(value) !== undefined,
    'a type is string, int, number, bool, map, any or list<…>, with ? behind it where the parameter may be absent',
  );
const action = z.strictObject({ reversibility: reversibilitySchema.optional(), parameters: z.record(z.string().min(1).max(128), parameterType).optional() });

/** The whole language, as one document; several files are merged into this before it is checked. */
export const bundleSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal(KIND),
  metadata: z.strictObject({
    name: name('a bundle name'),
    version: z.union([z.int().min(0), text(64)], 'a version is a whole number or text'),
    owner: text(256).optional(),
  }),
  defaults: z
    .strictObject({
      outcome: effectSchema,
      undeclared: effectSchema.optional(),
      timeout: duration(MAX_TIMEOUT_SECONDS).optional(),
      ...usage,
      require: require.optional(),
    })
    .refine(oneTtl, TWO_TTLS),
  groups: z.record(name('a group'), z.strictObject({ description: text(500).optional() })).optional(),
  catalogue: z
    .strictObject({
      resources: z.array(resource).max(MAX_CATALOGUE_ENTRIES).optional(),
      actions: z.record(pattern(128), action).optional(),
    })
    .optional(),
  lets: z.record(z.string().regex(/^[a-z][A-Za-z0-9_]{0,63}$/, 'a let is named by a small letter, then letters, digits and _'), condition).optional(),
  rules: z.array(rule).max(MAX_RULES).optional(),
});
export type BundleDocument = z.infer<typeof bundleSchema>;

/** The members that each file may have, and where the names of an object's members can be looked up for a hint. */
export const MEMBERS = {
  '': Object.keys(bundleSchema.shape),
  metadata: Object.keys(bundleSchema.shape.metadata.shape),
  defaults: Object.keys(bundleSchema.shape.defaults.shape),
  catalogue: ['resources', 'actions'],
  'catalogue.resources.*': Object.keys(resource.shape),
  'catalogue.actions.*': Object.keys(action.shape),
  'rules.*': Object.keys(rule.shape),
  'rules.*.require': Object.keys(require.shape),
  'defaults.require': Object.keys(require.shape),
  'rules.*.require.stages.*': Object.keys(stage.shape),
  'defaults.require.stages.*': Object.keys(stage.shape),
  'rules.*.require.stages.*.all.*': ['group', 'quorum'],
  'defaults.require.stages.*.all.*': ['group', 'quorum'],
  'groups.*': ['description'],
} as const satisfies Record<string, readonly string[]>;
