/*
 * The wire's types, written out so that the package's declarations need no other package. A test holds them equal to the contracts.
 * Instants are RFC 3339 UTC strings with milliseconds; digests are `sha256:` and 64 hexadecimal digits.
 */

export type JsonValue = null | boolean | number | string | JsonValue[] | { [member: string]: JsonValue };
export type JsonObject = { [member: string]: JsonValue };

export type Status = 'pending' | 'approved' | 'denied' | 'expired' | 'cancelled' | 'revoked';
export type Verdict = 'approve' | 'deny';

export interface Resource {
  type: string;
  id: string;
  labels?: Record<string, string> | undefined;
}

export interface Actor {
  /** agent, service, pipeline, person, or a kind of your own */
  type: string;
  id: string;
  on_behalf_of?: { type: 'person'; id: string } | undefined;
}

/** The action exactly as it will run: what the action digest covers. */
export interface Action {
  action: string;
  resource: Resource;
  /** Plain JSON: everything that decides what runs. */
  parameters?: object | undefined;
  actor: Actor;
  environment?: string | undefined;
}

/** Besides the action: what helps people judge, and where the outcome goes. */
export interface SubmissionExtras {
  reason?: string | undefined;
  /** `run_url`, `diff`, `links`, `risk`, and members of your own. */
  context?: object | undefined;
  purpose?: string | undefined;
  callback?: { url: string } | { endpoint_id: string } | undefined;
  /** The API key (id or name) that redeems, when it is not the one that asks. */
  grant_audience?: string | undefined;
  /** RFC 7638 thumbprint of the key that whoever redeems must prove to have, by a DPoP proof (RFC 9449). */
  grant_jkt?: string | undefined;
  /** How long people have, in seconds; policy's own time wins when it is shorter. */
  timeout_seconds?: number | undefined;
}

export interface Authenticated {
  issuer: string;
  method: 'api_key' | 'personal_token' | 'session' | 'slack' | 'teams' | 'email' | 'workload_token' | 'client_certificate' | 'service';
  at: string;
}

export interface Decision {
  id: string;
  person: { id: string; email: string; name: string };
  verdict: Verdict;
  reason: string | null;
  decided_at: string;
  via: Via;
  authenticated: Authenticated;
  /** What the decision came with; absent where nothing was given. */
  ticket?: string | undefined;
  acknowledged?: string[] | undefined;
  /** Of a denial: whether asking again makes sense. */
  ask_again?: AskAgain | undefined;
  /** In whose stead. */
  delegate_for?: { id: string; email: string; name: string } | undefined;
  /** Passed alone in an emergency; somebody else reviews it. */
  break_glass?: true | undefined;
  /** The decider stands behind the request: a team of one, as policy says. */
  self_approved?: true | undefined;
  /** A WebAuthn assertion over this request and verdict, to be verified offline. */
  passkey?: PasskeyEvidence | undefined;
}

/** What whoever denied says of asking again: no, with changes (the reason says which), or later. A hint: policy judges every request. */
export type AskAgain = 'never' | 'changed' | 'later';

export type Via = 'slack' | 'teams' | 'web' | 'api' | 'email';

export interface PasskeyEvidence {
  credential_id: string;
  public_key: string;
  client_data_json: string;
  authenticator_data: string;
  signature: string;
  nonce: string;
  verified_at: string;
}

/** Where cards or notices go. */
export type Channel = { slack: string } | { teams: string } | { email: string } | { direct: string } | { person: string } | { on_call: string };

/** What an approval must come with. */
export interface Obligations {
  passkey?: { fresh_seconds: number } | undefined;
  tickets?: { pattern: string; field?: string | undefined }[] | undefined;
  acknowledge?: string[] | undefined;
  must_open?: true | undefined;
}

/** What a callback's `data` and an answer's `outcome` hold. */
export interface Outcome {
  id: string;
  action_request: string;
  /** Starts at 1 per request and rises with each event that its callback is told of. */
  sequence: number;
  status: Exclude<Status, 'pending'>;
  action_digest: string;
  request_digest: string;
  policy_digest: string;
  decisions: Decision[];
  reason: string | null;
  settled_at: string;
  /** Of a denial: the strictest of what those who denied said; absent where nobody did. */
  ask_again?: AskAgain | undefined;
  /** Approved by the emergency road; somebody else reviews it. */
  break_glass?: true | undefined;
  /** Approved by who stands behind the request: a team of one, as policy says. */
  self_approved?: true | undefined;
  /** A single-use grant (compact JWS): in approved outcomes, for the requesting caller, while it can be redeemed. */
  grant?: string | undefined;
}

export interface Requirement {
  stages: {
    name: string;
    all: { group: string; quorum: number; escalate?: { after_seconds: number; to: string }[] | undefined }[];
    distinct_humans: number;
  }[];
  deny_threshold: number;
  reason_required: { approve: boolean; deny: boolean };
  timeout_seconds: number | null;
  grant_ttl_seconds: number;
  /** How long an approval may be used, in seconds from when it was settled. */
  use_within_seconds: number;
  /** Groups of which one denial denies. */
  veto?: string[] | undefined;
  /** What the end of the time means; absent: the request expires. */
  on_timeout?: 'deny' | undefined;
  reminders_seconds?: number[] | undefined;
  obligations?: Obligations | undefined;
  delegation?: { within: 'same_group' | 'anyone'; max_seconds: number } | undefined;
  /** Through which channels one may decide; absent: all but `api`. */
  via?: Via[] | undefined;
  channels?: Channel[] | undefined;
  break_glass?:
    | {
        group: string;
        quorum: number;
        obligations?: Obligations | undefined;
        review_by?: string | undefined;
        review_within_seconds: number;
        notify?: Channel[] | undefined;
        only?: true | undefined;
      }
    | undefined;
  solo?: { after_seconds: number } | undefined;
  alike?: { pin: string[]; max_uses: number; max_ttl_seconds: number } | undefined;
  counter?: string[] | undefined;
  bulk?: true | undefined;
}

/** A request as the service answers it. Values are masked: run your own copy of the action, never this one. */
export interface ActionRequest {
  id: string;
  status: Status;
  action_digest: string;
  request_digest: string;
  created_at: string;
  expires_at: string;
  /** The page on which people decide. */
  url: string;
  action: string;
  resource: Resource;
  parameters?: JsonObject | undefined;
  actor: Actor;
  environment?: string | undefined;
  reason?: string | undefined;
  context?: JsonObject | undefined;
  purpose?: string | undefined;
  requester: {
    type: 'api_key' | 'workload' | 'person';
    id: string;
    name: string;
    authenticated: Authenticated;
    workflow?: { run: string | null; repository: string | null; job: string | null } | undefined;
    claims?: Record<string, string> | undefined;
    fixes?: ('actor' | 'environment')[] | undefined;
  };
  masked: { pointer: string; class: string; action: 'strip' | 'token'; detector: string; length: number }[];
  evaluation: { effect: 'allow' | 'require' | 'deny'; rules: string[]; policy_digest: string; explanation: string };
  requirement: Requirement | null;
  decisions: Decision[];
  outcome: Outcome | null;
  redeemed_at: string | null;
  /** Until when an approval may be used; null while there is none. */
  use_until: string | null;
  /** What the executor said came of it; null until it says so. */
  report: { result: 'succeeded' | 'failed'; result_digest: string | null; detail: string | null; reported_at: string } | null;
  /** The freezes that hold it now: it is not approved, and not redeemed, until they are lifted. Absent where there is none. */
  freezes?: { id: string; reason: string; placed_at: string }[] | undefined;
  /** The pattern by which it was approved without asking. */
  pattern?: { id: string; action_request: string; approved_by: { id: string; email: string; name: string }[]; use: number; uses: number } | undefined;
  /** What approvers asked; answer at `/v1/action-requests/{id}/questions/{question}/answers`. */
  questions?: Question[] | undefined;
  /** What approvers would rather see run; accepting one opens a new request. */
  proposals?: Proposal[] | undefined;
  /** Of an approval by break-glass. */
  reviews?: Review[] | undefined;
}

export interface Question {
  id: string;
  person: Decision['person'];
  text: string;
  asked_at: string;
  answer: { text: string; by: string; answered_at: string } | null;
}

export interface Proposal {
  id: string;
  person: Decision['person'];
  /** By path; masked. */
  parameters: JsonObject;
  reason: string | null;
  proposed_at: string;
  /** The request that accepting it opened. */
  accepted_as: string | null;
  accepted_at: string | null;
}

export interface Review {
  id: string;
  action_request: string;
  groups: string[];
  opened_at: string;
  due_at: string;
  finding: 'justified' | 'unjustified' | null;
  note: string | null;
  reviewed_by: Decision['person'] | null;
  reviewed_at: string | null;
}

export interface ActionRequestList {
  data: ActionRequest[];
  next_cursor: string | null;
}

/** A redemption: run the action now. */
export interface RedeemAnswer {
  grant_id: string;
  action_request: string;
  action_digest: string;
  redeemed_at: string;
}

/** What came of a run. */
export interface Report {
  result: 'succeeded' | 'failed';
  /** `sha256:…` of the result, in whatever form you keep it. */
  result_digest?: string | undefined;
  /** A sentence for the record; no secrets. */
  detail?: string | undefined;
}

/** What a grant says; times are seconds since 1970. */
export interface GrantClaims {
  iss: string;
  aud: string;
  jti: string;
  iat: number;
  exp: number;
  tenant: string;
  action_request: string;
  act_digest: string;
  request_digest: string;
  policy_digest: string;
  /** Present where redemption needs a DPoP proof by this key. */
  cnf?: { jkt: string } | undefined;
}

/** An RFC 9457 problem. */
export interface Problem {
  type: string;
  /** The stable name at the end of `type`. */
  code: string;
  title: string;
  status: number;
  detail: string;
  errors?: { pointer: string; detail: string }[] | undefined;
}

/** A JWK Set (RFC 7517), as `/.well-known/jwks.json` gives it. */
export interface Jwks {
  keys: { kty?: string; crv?: string; x?: string; kid?: string }[];
}
