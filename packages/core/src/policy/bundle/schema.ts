import { digestSchema, effectSchema, reversibilitySchema } from '@countersign/contracts';
import { z } from 'zod';
import { MAX_CATALOGUE_ENTRIES, MAX_LETS, MAX_PARAMETERS, MAX_RULES, MAX_TESTS } from './limits.js';
import { parseParameterType, type ParameterDocument } from '../parameter-types.js';
import { batch, channels, delegation, oneTtl, plainChannel, require, TWO_TTLS, usage, via } from './schema-require.js';
import { condition, duration, group, identifier, instant, MAX_TIMEOUT_SECONDS, name, pattern, patterns, text } from './schema-parts.js';
import { reveal } from './schema-reveal.js';
import { rule } from './schema-rule.js';
import { schedule, timeZone } from './schema-schedule.js';
import { coverage, policyTest } from './schema-tests.js';

export type { RuleDocument } from './schema-rule.js';
export type { RequireDocument, StageDocument, ChannelDocument, BreakGlassDocument, EscalationDocument } from './schema-require.js';
export type { PolicyTest, CoverageDocument } from './schema-tests.js';

export const API_VERSION = 'countersign.dev/v1';
export const KIND = 'PolicyBundle';
/** The canonical text of several bundles in force together. */
export const SET_KIND = 'PolicySet';

/** From the widest to the narrowest: a lower tier only tightens. */
export const tiers = ['org', 'team', 'service'] as const;
export type Tier = (typeof tiers)[number];

/** Who is expected to ask; anybody else needs people. */
const expected = z.strictObject({ callers: patterns.optional(), actors: patterns.optional() });
const dataClasses = z.array(text(64)).max(50);

const resource = z.strictObject({
  type: text(128),
  id: pattern(1024),
  labels: z.record(z.string().min(1).max(64), z.string().max(256)).optional(),
  environment: text(64).optional(),
  reversibility: reversibilitySchema.optional(),
  data_classes: dataClasses.optional(),
  owner: text(256).optional(),
  expected: expected.optional(),
});
export type ResourceDocument = z.infer<typeof resource>;

const parameterType: z.ZodType<ParameterDocument> = z.lazy(() =>
  z.union([
    z
      .string()
      .max(128)
      .refine(
        (value) => parseParameterType(value) !== undefined,
        'a type is string, int, number, bool, timestamp, duration, map, any, list<…> or map<…>, with ? behind it where the parameter may be absent, or a map of members',
      ),
    z.record(z.string().min(1).max(128), parameterType),
  ]),
);
const action = z
  .strictObject({
    reversibility: reversibilitySchema.optional(),
    parameters: z
      .record(z.string().min(1).max(128), parameterType)
      .refine((written) => Object.keys(written).length <= MAX_PARAMETERS, `an action declares at most ${MAX_PARAMETERS} parameters`)
      .optional(),
    /** Kind of facts → from where they are computed; the kinds check the rest. */
    facts: z.record(z.string().min(1).max(64), z.record(z.string().max(64), z.json())).optional(),
    definition_digest: digestSchema.optional(),
    definition_digests: z.array(digestSchema).min(1).max(20).optional(),
    expected: expected.optional(),
  })
  .refine((written) => written.definition_digest === undefined || written.definition_digests === undefined, {
    message: 'write definition_digest or definition_digests',
    path: ['definition_digests'],
  });
export type ActionDocument = z.infer<typeof action>;

const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const clock = z.string().regex(/^(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)$/, 'a time of day is written "08:00", in quotes');
const weekly = z.strictObject({
  tz: timeZone,
  days: z.array(z.enum(days)).min(1).max(7).optional(),
  from: clock,
  to: clock,
  /** Days on which the window does not open. */
  holidays: z
    .array(z.string().regex(/^\d{4}-\d{2}-\d{2}$/, 'a holiday is a date such as 2026-12-25'))
    .max(1000)
    .optional(),
});
/** When whom no direct message disturbs; no groups: everybody. */
const quietHours = weekly.extend({ groups: z.array(group).min(1).max(50).optional() });
export type QuietHoursDocument = z.infer<typeof quietHours>;

/** At which times of the day who is told what waits for them. */
const digest = z.strictObject({
  tz: timeZone,
  at: z
    .array(clock.refine((time) => time !== '24:00', 'a digest comes at "00:00" of the next day'))
    .min(1)
    .max(24),
  days: z.array(z.enum(days)).min(1).max(7).optional(),
  to: z
    .strictObject({ groups: z.array(group).min(1).max(50).optional(), channels: z.array(plainChannel).min(1).max(20).optional() })
    .refine((to) => to.groups !== undefined || to.channels !== undefined, 'a digest goes to groups, to channels, or both'),
  /** Below that nothing comes; absent: 1. */
  at_least: z.int().min(1).max(1000).optional(),
});
export type DigestDocument = z.infer<typeof digest>;

const fixed = z.strictObject({ from: instant, to: instant });
/** Weekly hours where a time zone is written, else a span between two instants. */
const window = z.union([weekly, fixed]);
export type WindowDocument = z.infer<typeof window>;
export type WeeklyWindowDocument = z.infer<typeof weekly>;

const groupDocument = z.strictObject({
  description: text(500).optional(),
  /** Where its members come from, for people. */
  source: text(256).optional(),
  min_members: z.int().min(1).max(100_000).optional(),
  /** Groups whose members are members of this one too. */
  includes: z.array(group).min(1).max(50).optional(),
});

/** Named members are many in no bundle that people write. */
const atMost = (limit: number, what: string) => [(written: object) => Object.keys(written).length <= limit, `a bundle has at most ${limit} ${what}`] as const;

/** One bundle, as one document; several files are merged into this before it is checked. */
export const bundleSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal(KIND),
  metadata: z.strictObject({
    name: name('a bundle name'),
    version: z.union([z.int().min(0), text(64)], 'a version is a whole number or text'),
    tier: z.enum(tiers).optional(),
    owner: text(256).optional(),
    description: text(1000).optional(),
  }),
  defaults: z
    .strictObject({
      outcome: effectSchema,
      undeclared: effectSchema.optional(),
      /** The least effect where somebody asks whom the catalogue does not expect. */
      unexpected: z.enum(['require', 'deny']).optional(),
      timeout: duration(MAX_TIMEOUT_SECONDS).optional(),
      ...usage,
      via: via.optional(),
      delegation: delegation.optional(),
      channels: channels.optional(),
      batch: batch.optional(),
      /** Whether everybody of a group that owns the agent stands behind what it asks; absent: they do. */
      chain: z.strictObject({ owner_groups: z.boolean() }).optional(),
      require: require.optional(),
      /** Where no rule that matches says who; absent: nobody. */
      reveal: reveal.optional(),
    })
    .refine(oneTtl, TWO_TTLS),
  groups: z
    .record(group, groupDocument)
    .refine(...atMost(MAX_CATALOGUE_ENTRIES, 'groups'))
    .optional(),
  schedules: z
    .record(group, schedule)
    .refine(...atMost(MAX_LETS, 'schedules'))
    .optional(),
  catalogue: z
    .strictObject({
      resources: z.array(resource).max(MAX_CATALOGUE_ENTRIES).optional(),
      actions: z
        .record(pattern(128), action)
        .refine(...atMost(MAX_CATALOGUE_ENTRIES, 'actions'))
        .optional(),
    })
    .optional(),
  windows: z
    .record(identifier('a window'), window)
    .refine(...atMost(MAX_LETS, 'windows'))
    .optional(),
  quiet_hours: z.array(quietHours).min(1).max(50).optional(),
  digest: digest.optional(),
  lets: z
    .record(identifier('a let'), condition)
    .refine(...atMost(MAX_LETS, 'lets'))
    .optional(),
  rules: z.array(rule).max(MAX_RULES).optional(),
  tests: z.array(policyTest).max(MAX_TESTS).optional(),
  coverage: coverage.optional(),
});
export type BundleDocument = z.infer<typeof bundleSchema>;

/** The names of the members that the object at this path of a bundle may have; empty where any name goes. */
export function membersAt(path: readonly string[]): readonly string[] {
  let schema: unknown = bundleSchema;
  for (const token of path) schema = below(schema, token);
  return membersOf(schema);
}

/** What zod's own definition of a schema says of it; only the forms that this language uses. */
interface Definition {
  type: string;
  shape?: Record<string, unknown>;
  element?: unknown;
  valueType?: unknown;
  innerType?: unknown;
  options?: readonly unknown[];
}

function definitionOf(schema: unknown): Definition | undefined {
  // zod's documented reflection: every schema carries its definition at _zod.def.
  const definition = (schema as { _zod?: { def?: Definition } } | undefined)?._zod?.def;
  return definition?.type === 'optional' ? definitionOf(definition.innerType) : definition;
}

function below(schema: unknown, token: string): unknown {
  const definition = definitionOf(schema);
  switch (definition?.type) {
    case 'object':
      return Object.hasOwn(definition.shape ?? {}, token) ? definition.shape?.[token] : undefined;
    case 'array':
      return definition.element;
    case 'record':
      return definition.valueType;
    case 'union':
      return definition.options?.map((option) => below(option, token)).find((found) => found !== undefined);
    default:
      return undefined;
  }
}

function membersOf(schema: unknown): readonly string[] {
  const definition = definitionOf(schema);
  if (definition?.type === 'object') return Object.keys(definition.shape ?? {});
  return definition?.type === 'union' ? (definition.options ?? []).flatMap(membersOf) : [];
}
