/**
 * What the platforms' tokens say, and which of it can be relied upon. A claim is named as it stands in the token; one inside an object by
 * JSON pointer (RFC 6901).
 *
 * Sources: GitHub "OpenID Connect reference", GitLab "ID token authentication", Kubernetes "Managing service accounts" (bound tokens),
 * Google "Verifying the identity of instances", Microsoft "Access token claims reference", SPIFFE JWT-SVID.
 */
export interface Platform {
  /** Where the platform has one issuer for everybody. */
  issuer: string | null;
  /** Ids that are given to one thing for ever. A rule pins at least one of them exactly. */
  immutable: readonly string[];
  /** Names that somebody else may get one day, with the id that must be pinned beside them. */
  names: Readonly<Record<string, string>>;
  human: HumanClaims | null;
  workflow: { run: string; repository: string; job: string } | null;
  /** Runs that strangers can start; a rule takes them only where it names the claim and such a value itself. */
  strangers: { claim: string; values: RegExp; words: string } | null;
  /** Whether a token counts once, or until it is over since the platform hands out one for long. */
  replay: 'once' | 'until_expires';
  /** The oldest token that is taken, in seconds since `iat`. */
  max_age_seconds: number;
  /** What is kept of a token besides what its rule looks at. */
  kept: readonly string[];
}

export interface HumanClaims {
  /** Under which issuer the directory knows such accounts; null: the token's own. */
  issuer: string | null;
  /** The claim with the account's immutable id. */
  user: string;
  /** The claim that people read. */
  name: string;
  /** The claim that names the person where the directory does not know the account; null: the account itself does. */
  ref: string | null;
}

export const platformNames = ['github', 'gitlab', 'kubernetes', 'google', 'azure', 'spiffe', 'other'] as const;
export type PlatformName = (typeof platformNames)[number];

const SERVICE_ACCOUNT = '/kubernetes.io/serviceaccount';

export const platforms: Readonly<Record<PlatformName, Platform>> = {
  github: {
    issuer: 'https://token.actions.githubusercontent.com',
    immutable: ['repository_id', 'repository_owner_id', 'enterprise_id'],
    names: { repository: 'repository_id', sub: 'repository_id', repository_owner: 'repository_owner_id', enterprise: 'enterprise_id' },
    human: { issuer: 'https://github.com', user: 'actor_id', name: 'actor', ref: null },
    workflow: { run: 'run_id', repository: 'repository', job: 'workflow' },
    strangers: { claim: 'event_name', values: /^pull_request/, words: 'pull requests' },
    replay: 'once',
    max_age_seconds: 600,
    kept: [
      'repository_id',
      'repository',
      'ref',
      'sha',
      'environment',
      'event_name',
      'job_workflow_ref',
      'run_id',
      'run_attempt',
      'workflow',
      'runner_environment',
    ],
  },
  gitlab: {
    issuer: null,
    immutable: ['project_id', 'namespace_id'],
    names: { project_path: 'project_id', sub: 'project_id', namespace_path: 'namespace_id' },
    human: { issuer: null, user: 'user_id', name: 'user_login', ref: 'user_email' },
    workflow: { run: 'pipeline_id', repository: 'project_path', job: 'job_id' },
    strangers: { claim: 'pipeline_source', values: /^(external_pull_request|merge_request)/, words: 'merge requests' },
    replay: 'until_expires',
    max_age_seconds: 3600,
    kept: [
      'project_id',
      'project_path',
      'ref',
      'ref_type',
      'ref_protected',
      'environment',
      'environment_protected',
      'pipeline_id',
      'pipeline_source',
      'job_id',
      'sha',
      'runner_id',
    ],
  },
  kubernetes: {
    issuer: null,
    immutable: [`${SERVICE_ACCOUNT}/uid`],
    names: { sub: `${SERVICE_ACCOUNT}/uid`, [`${SERVICE_ACCOUNT}/name`]: `${SERVICE_ACCOUNT}/uid`, '/kubernetes.io/namespace': `${SERVICE_ACCOUNT}/uid` },
    human: null,
    workflow: { run: '/kubernetes.io/pod/name', repository: '/kubernetes.io/namespace', job: `${SERVICE_ACCOUNT}/name` },
    strangers: null,
    replay: 'until_expires',
    max_age_seconds: 3600,
    kept: ['/kubernetes.io/namespace', `${SERVICE_ACCOUNT}/name`, `${SERVICE_ACCOUNT}/uid`, '/kubernetes.io/pod/name', '/kubernetes.io/pod/uid'],
  },
  google: {
    issuer: 'https://accounts.google.com',
    immutable: ['sub', '/google/compute_engine/project_number', '/google/compute_engine/instance_id'],
    names: { email: 'sub', '/google/compute_engine/project_id': '/google/compute_engine/project_number' },
    human: null,
    workflow: null,
    strangers: null,
    replay: 'until_expires',
    max_age_seconds: 3600,
    kept: ['sub', 'email', '/google/compute_engine/project_id', '/google/compute_engine/instance_id', '/google/compute_engine/instance_name'],
  },
  azure: {
    issuer: null,
    immutable: ['oid', 'sub', 'appid', 'azp'],
    names: { xms_mirid: 'oid' },
    human: null,
    workflow: null,
    strangers: null,
    replay: 'until_expires',
    // Managed identities are given tokens for a day.
    max_age_seconds: 86_400,
    kept: ['oid', 'tid', 'appid', 'azp', 'xms_mirid'],
  },
  spiffe: {
    issuer: null,
    // The SPIFFE id is the identity; whoever runs the trust domain says who gets it.
    immutable: ['sub'],
    names: {},
    human: null,
    workflow: null,
    strangers: null,
    replay: 'until_expires',
    max_age_seconds: 600,
    kept: ['sub'],
  },
  other: { issuer: null, immutable: [], names: {}, human: null, workflow: null, strangers: null, replay: 'once', max_age_seconds: 600, kept: ['sub'] },
};

/** A claim's value as text; null where it is absent, or no text, number or truth value. */
export function claimOf(claims: Readonly<Record<string, unknown>>, name: string): string | null {
  let value: unknown = claims;
  for (const token of name.startsWith('/')
    ? name
        .slice(1)
        .split('/')
        .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    : [name]) {
    if (value === null || typeof value !== 'object' || Array.isArray(value) || !Object.hasOwn(value, token)) return null;
    value = (value as Record<string, unknown>)[token];
  }
  return typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}
