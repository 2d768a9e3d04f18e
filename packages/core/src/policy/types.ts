import type { Expr } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js';
import type { Effect, JsonObject, JsonValue, Requirement, Reversibility } from '@countersign/contracts';
import type { CoverageDocument, PolicyTest, Tier } from './bundle/schema.js';
import type { RuleDocument } from './bundle/schema-rule.js';

export type { CoverageDocument, PolicyTest, RuleDocument, Tier };
import type { DigestPlan, QuietHours } from './compile-notices.js';
import type { RevealLayer } from './reveal.js';
import type { Schedule } from './schedules.js';

/** One file of a bundle, as read; the path is only used to say where a problem lies. */
export interface BundleFile {
  path: string;
  text: string;
}

/** Why a bundle cannot be used, and where. Lines and columns count from 1; columns are UTF-16 units. */
export interface PolicyProblem {
  file: string;
  line: number;
  column: number;
  message: string;
  /** What was probably meant, or what to write instead. */
  hint?: string;
}

/** A bundle compiles whole or not at all. Warnings say what its author should know, and stop nothing. */
export type CompileResult = { ok: true; bundle: CompiledBundle; warnings: PolicyProblem[] } | { ok: false; problems: PolicyProblem[] };

/** What holds where no rule speaks. */
export interface BundleDefaults {
  /** The effect of a declared action on which no rule matches; must be written in the bundle. */
  outcome: Effect;
  /** The least effect of an action or resource that the catalogue does not declare. */
  undeclared: Effect;
  /** How long people have, in seconds; null: the server's default. */
  timeout_seconds: number | null;
  /** How long a grant lives, in seconds. */
  grant_ttl_seconds: number;
  /** How long an approval may be used, in seconds from when it was settled. */
  use_within_seconds: number;
  /** Who decides where a requirement names nobody; null only where that cannot happen. */
  require: Requirement | null;
  /** Whether everybody of a group that owns an agent stands behind what it asks, and decides none of it. */
  chain: { owner_groups: boolean };
  /** Who may see masked values where no matching rule says; empty: nobody. */
  reveal: RevealLayer;
}

/** What a bundle says of itself. */
export interface BundleHead {
  name: string;
  version: string | number;
  tier?: Tier;
  owner?: string;
  description?: string;
}

/** What a bundle declares of a group; its members stand in the directory. */
export interface GroupInfo {
  name: string;
  description?: string;
  source?: string;
  /** How many members it is sure to have. */
  min_members?: number;
  /** Groups whose members are members of this one too. */
  includes: readonly string[];
}

/** A bundle, or several of different tiers that hold together, checked, with every condition compiled. Immutable. */
export interface CompiledBundle {
  /** SHA-256 over `canonical`. */
  digest: `sha256:${string}`;
  /** RFC 8785 text of the parsed bundle, without its tests; `compileCanonical` rebuilds the same bundle from it. */
  canonical: string;
  /** Of several bundles: their names, the highest tier first, joined by ` + `. */
  name: string;
  /** Of several bundles: their versions, joined likewise. */
  version: string | number;
  /** The owner of the bundle; of several, of the first that has one. */
  owner?: string;
  /** Each bundle by itself, the highest tier first. */
  bundles: readonly BundleHead[];
  /** Of several bundles: the strictest of each. */
  defaults: BundleDefaults;
  /** Every group that the bundle names, sorted. */
  groups: string[];
  /** The groups that it declares, sorted by name. */
  declaredGroups: readonly GroupInfo[];
  /** The groups whose members are members of this one too, by what the bundle's groups include. Sorted. */
  partsOf(group: string): readonly string[];
  /** Who is on call, by the schedule's name. */
  schedules: ReadonlyMap<string, Schedule>;
  /** Every person whom the bundle names by address, sorted. */
  people: string[];
  /** When whom no direct message disturbs. */
  quiet: readonly QuietHours[];
  /** When who is told what waits. */
  digests: readonly DigestPlan[];
  /** The groups that a member of these groups is in, by what the bundle's groups include. Sorted. */
  expandGroups(groups: readonly string[]): string[];
  /** The tests that stand in the bundle; they are no part of the canonical text. */
  tests: readonly PolicyTest[];
  /** How much of the bundle its tests must have seen. */
  coverage?: CoverageDocument;
  /** Every path that some rule masks, sorted. */
  masks: string[];
  /** Every path that some rule insists on showing, sorted. */
  mustShow: string[];
  /** The rules, sorted by id. */
  rules: readonly RuleInfo[];
  /** Says what policy makes of a request. Never throws; what cannot be evaluated never allows. */
  evaluate(input: PolicyInput): Evaluation;
}

/** What a listing of a bundle shows of a rule. */
export interface RuleInfo {
  id: string;
  effect: Effect;
  /** `shadow`: reported, not enforced. */
  mode: 'enforce' | 'shadow';
  actions: readonly string[];
  /** The bundle that it stands in. */
  bundle: string;
  /** Every conjunct of its `when` and its `unless`, as written: what coverage counts. */
  conditions: readonly { role: ConditionRole; text: string; expr: Expr }[];
  /** The static bound of all its conditions together, in steps of about 40 ns. */
  cost: number;
  /** What people must do where it asks for them, with every conditional stage; null where nobody is asked. */
  requirement: Requirement | null;
  /** The rule as written. */
  document: RuleDocument;
}

/** What a condition is for. */
export type ConditionRole = 'when' | 'unless';

/** Who asks, as its credential proved it. */
export interface PolicyCaller {
  /** How it proved itself, such as `api_key` or `workload`. */
  type: string;
  id: string;
  name: string;
  issuer: string;
  /** Of a workload's token: what it says, as text. */
  claims: Record<string, string>;
}

/** A request as policy sees it: unmasked, as submitted. */
export interface PolicyInput {
  action: string;
  resource: { type: string; id: string; labels?: Record<string, string> | undefined };
  parameters?: JsonObject | undefined;
  actor: { type: string; id: string; on_behalf_of?: { type: string; id: string } | undefined };
  environment?: string | undefined;
  reason?: string | undefined;
  context?: JsonObject | undefined;
  /** Who asks, verified. Absent, every condition that reads it is indeterminate. */
  caller?: PolicyCaller | undefined;
  /** What of the request is not merely the caller's word: its credential fixes it. */
  verified?: readonly ('actor' | 'environment')[] | undefined;
  /** The highest class of the other actions of its chain. */
  chain?: { reversibility: Reversibility } | undefined;
  /** Ids of rules whose limit is used up for this request. */
  exceeded?: readonly string[] | undefined;
  /** The instant of the evaluation, RFC 3339 UTC with milliseconds. */
  now: string;
}

/** A JSON Pointer (RFC 6901) into the request, for example `/resource/id`. */
export type JsonPointer = string;

/**
 * A piece of an explanation: fixed text of the bundle's author, or the place of a value in the request.
 * Values are joined in only after the masker has passed them.
 */
export type ExplanationPart = { text: string } | { value: JsonPointer };

/** The truth of one condition; `error` is neither true nor false. */
export type Truth = 'true' | 'false' | 'error';

/** How one rule came out. */
export interface RuleTrace {
  rule: string;
  effect: Effect;
  result: 'matched' | 'not_matched' | 'indeterminate';
  /** Why it did not match (its scope) or could not be checked; holds no value of the request. */
  reason?: string;
  /** Each top-level conjunct of `when`, as written. Empty where the rule's scope already left the request out. */
  conjuncts: { condition: string; truth: Truth }[];
  unless?: { condition: string; truth: Truth };
}

/** The catalogue fixes another environment than the caller gave: the caller gets 422 environment_mismatch. */
export interface EnvironmentConflict {
  given: string;
  catalogue: string;
}

/** A count that goes up by this request; where it is used up, evaluate again with the rule under `exceeded`. */
export interface AppliedLimit {
  rule: string;
  /** SHA-256 over what is counted by: requests of one key are counted together. */
  key: string;
  count: number;
  per_seconds: number;
  on_exceed: 'require' | 'deny';
}

/** A value that a condition read. */
export type ReadValue = { path: string } & (
  | { pointer: JsonPointer }
  /** Not of the caller: the catalogue's, the credential's, the clock's. */
  | { known: JsonValue }
  /** Computed from what stands at these places of the request. */
  | { derived: JsonValue; from: JsonPointer[] }
  | { missing: true }
);

/** One condition of a rule, and what would come of it if it were otherwise. */
export interface ConditionDetail {
  /** `stage`, `channel`: of the rule's requirement; what it belongs to stands in `of`. It is left out where its condition is false. */
  role: ConditionRole | 'stage' | 'channel';
  of?: string;
  condition: string;
  truth: Truth;
  reads: ReadValue[];
  /** The effect of the whole policy if this condition alone were the other way; absent where it would be the same. */
  otherwise?: { truth: 'true' | 'false'; effect: Effect };
}

/** How one rule of the request's action came out. */
export interface RuleOutline {
  rule: string;
  bundle: string;
  effect: Effect;
  mode: 'enforce' | 'shadow';
  result: RuleTrace['result'];
  /** Whether it is one of those that decided. */
  decided: boolean;
  reason?: string;
}

/** How one rule of the request's action came out, in full. */
export interface RuleDetail extends RuleOutline {
  conditions: ConditionDetail[];
}

/** How every rule came out, without its conditions. It costs little beside the evaluation itself. */
export interface EvaluationOutline {
  /** The rules for the action, sorted by id. */
  rules: RuleOutline[];
  /** How many rules of the policy are for other actions. */
  other_rules: number;
  /** What beside the rules had a say: defaults and the catalogue. */
  beside: { effect: Effect; text: string; decided: boolean }[];
}

/** Everything about an evaluation. Values of the request stand in it as pointers only, to be joined in by the masker. */
export interface EvaluationDetails extends EvaluationOutline {
  rules: RuleDetail[];
}

export interface Evaluation {
  effect: Effect;
  /** Ids of the rules that decided the effect, sorted; empty where a default did. */
  rules: string[];
  /** What people must do; not null exactly when the effect is require. */
  requirement: Requirement | null;
  resolved: {
    /** The caller's labels under the catalogue's, which win. */
    labels: Record<string, string>;
    environment?: string;
    /** The highest class of action, resource and chain; what is not declared counts as irreversible. */
    reversibility: Reversibility;
  };
  /** What the catalogue says of the resource besides its labels: its classes of data, and who owns it. */
  catalogued: { data_classes: string[]; owner?: string };
  environmentConflict?: EnvironmentConflict;
  /** Paths to mask, from every rule that counted, sorted. */
  maskPaths: string[];
  /** Paths that must stay readable, from every rule that counted, sorted. */
  mustShow: string[];
  /** Who may see a masked value: every layer must agree. Never empty. */
  reveal: RevealLayer[];
  explanation: ExplanationPart[];
  /** Rules in shadow mode that would have counted, sorted, and the effect with them. */
  shadow: { rules: string[]; effect: Effect };
  /** The limits of the rules that decided, sorted by rule. */
  limits: AppliedLimit[];
  /** Every rule of the bundle, sorted by id; computed when first read. */
  readonly trace: RuleTrace[];
  /** Computed when first read. */
  readonly outline: EvaluationOutline;
  /** Computed when first read; it tries every condition the other way round, and costs many times the evaluation. */
  readonly details: EvaluationDetails;
}
