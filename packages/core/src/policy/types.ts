import type { Effect, JsonObject, Requirement, Reversibility } from '@countersign/contracts';
import type { RevealLayer } from './reveal.js';

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

/** A bundle compiles whole or not at all. */
export type CompileResult = { ok: true; bundle: CompiledBundle } | { ok: false; problems: PolicyProblem[] };

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
  /** Who may see masked values where no matching rule says; empty: nobody. */
  reveal: RevealLayer;
}

/** A bundle, checked, with every condition compiled. Immutable. */
export interface CompiledBundle {
  /** SHA-256 over `canonical`. */
  digest: `sha256:${string}`;
  /** RFC 8785 text of the parsed bundle; `compileCanonical` rebuilds the same bundle from it. */
  canonical: string;
  name: string;
  version: string | number;
  owner?: string;
  defaults: BundleDefaults;
  /** Every group that the bundle names, sorted. */
  groups: string[];
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
  actions: readonly string[];
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
    /** The highest class of action and resource; what is not declared counts as irreversible. */
    reversibility: Reversibility;
  };
  environmentConflict?: EnvironmentConflict;
  /** Paths to mask, from every rule that counted, sorted. */
  maskPaths: string[];
  /** Paths that must stay readable, from every rule that counted, sorted. */
  mustShow: string[];
  /** Who may see a masked value: every layer must agree. Never empty. */
  reveal: RevealLayer[];
  explanation: ExplanationPart[];
  /** Every rule of the bundle, sorted by id; computed when first read. */
  readonly trace: RuleTrace[];
}
