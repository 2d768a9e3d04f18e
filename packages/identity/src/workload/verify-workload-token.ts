import type { ApiKeyRecord, CallerStore, Clock, TrustedCaller, WorkloadEvidence } from '@countersign/core/ports';
import { covers, formatInstant } from '@countersign/core/request';
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose';
import { IdentityError } from '../errors.js';
import { hashOf } from '../secret-token.js';
import type { IssuerKeys } from './issuer-keys.js';
import { claimOf, platforms } from './platforms.js';
import { fits, type TrustBinding } from './trust-rule.js';

export interface WorkloadVerifier {
  verify(token: string): Promise<WorkloadVerdict>;
}

export type WorkloadVerdict =
  | { kind: 'verified'; caller: ApiKeyRecord; rule: string; evidence: WorkloadEvidence }
  | { kind: 'refused'; detail: string }
  | { kind: 'try_later'; detail: string; retry_after_seconds: number };

export interface WorkloadWorld {
  callers: Pick<CallerStore, 'trustedBy' | 'spend' | 'personOfIdentity'>;
  keys: IssuerKeys;
  clock: Clock;
  /** Told why a token of a trusted issuer was refused: whoever sent it is not, since anybody can be given tokens by such an issuer. */
  onRefusal?: (why: { issuer: string; subject: string; detail: string }) => void;
}

/** Signatures by key pairs alone (RFC 8725, section 3.1): a public key is no shared secret. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
const MAX_TOKEN_CHARACTERS = 16_384;
const SKEW_SECONDS = 30;
const RETRY_SECONDS = 30;

/** Verifies tokens of platforms by the trust rules, which stand with their callers. Deny by default; what two rules fit is refused. */
export function workloadVerifier(world: WorkloadWorld): WorkloadVerifier {
  return {
    async verify(token) {
      try {
        return await verify(world, token);
      } catch (error) {
        if (error instanceof IdentityError && error.code === 'issuer_unavailable')
          return { kind: 'try_later', detail: 'The issuer of this token cannot be asked for its keys now. Try again.', retry_after_seconds: RETRY_SECONDS };
        if (error instanceof errors.JOSEError) return refused(wordsOf(error));
        throw error;
      }
    },
  };
}

async function verify(world: WorkloadWorld, token: string): Promise<WorkloadVerdict> {
  const claimed = readUnverified(token);
  if (typeof claimed === 'string') return refused(claimed);
  const rules = (await world.callers.trustedBy(claimed.issuer)).filter((caller) => bindingOf(caller).audience === claimed.audience);
  const [first] = rules;
  if (first === undefined) return refused('No trust rule names the issuer and audience of this token.');
  const refuse = (detail: string): WorkloadVerdict => {
    world.onRefusal?.({ issuer: claimed.issuer, subject: claimed.subject, detail });
    return refused('No trust rule fits this token. The log of the service says why.');
  };
  if (rules.some(({ tenant }) => tenant !== first.tenant)) return refuse('two tenants trust this issuer with the same audience');
  const { issuer, jwks, audience } = bindingOf(first);
  const { payload } = await jwtVerify(token, world.keys.keyOf({ tenant: first.tenant, issuer, jwks }), {
    issuer,
    audience,
    algorithms: ALGORITHMS,
    requiredClaims: ['sub', 'exp', 'iat'],
    maxTokenAge: Math.max(...rules.map((caller) => bindingOf(caller).max_age_seconds)),
    clockTolerance: SKEW_SECONDS,
    currentDate: new Date(world.clock.now()),
  });
  const judged = rules.map((caller) => ({ caller, fault: misfit(bindingOf(caller), payload, world.clock) }));
  const fitting = judged.filter(({ fault }) => fault === null);
  const [match, another] = fitting;
  if (match === undefined) return refuse(judged.map(({ caller, fault }) => `rule "${caller.name}": ${fault}`).join('; '));
  if (another !== undefined) return refuse(`the rules ${fitting.map(({ caller }) => `"${caller.name}"`).join(' and ')} fit it both`);
  const evidence = await evidenceOf(world, match.caller, payload);
  if (typeof evidence === 'string') return refuse(`rule "${match.caller.name}": ${evidence}`);
  const spent = await spend(world, match.caller, payload);
  return spent === null ? { kind: 'verified', caller: match.caller, rule: bindingOf(match.caller).digest, evidence } : refused(spent);
}

/** Issuer and audience, to find the rules by; a sentence where the token cannot be one. Nothing of it is believed yet. */
function readUnverified(token: string): { issuer: string; audience: string; subject: string } | string {
  if (token.length > MAX_TOKEN_CHARACTERS) return 'This token is too long.';
  let header: ReturnType<typeof decodeProtectedHeader>;
  let claims: JWTPayload;
  try {
    header = decodeProtectedHeader(token);
    claims = decodeJwt(token);
  } catch {
    return 'This is no JSON Web Token.';
  }
  if (!ALGORITHMS.includes(header.alg ?? '')) return 'This token is not signed by a key pair.';
  // RFC 8725, sections 3.10 and 3.11: where keys are is the rule's to say, and what a token is for stands in its type.
  for (const member of ['jku', 'x5u', 'jwk', 'x5c', 'crit', 'b64']) if (member in header) return `Tokens with "${member}" in their header are not taken.`;
  if (header.typ !== undefined && !/^(JWT|JOSE)$/i.test(header.typ)) return 'This token is for another use.';
  // A token for several audiences is one that any of them could replay here.
  const audience = Array.isArray(claims.aud) ? (claims.aud.length === 1 ? claims.aud[0] : undefined) : claims.aud;
  if (typeof audience !== 'string') return 'This token must name one audience.';
  if (typeof claims.iss !== 'string' || claims.iss === '') return 'This token names no issuer.';
  return { issuer: claims.iss, audience, subject: typeof claims.sub === 'string' ? claims.sub : '' };
}

/** Why a verified token does not fit a rule; null where it does. */
function misfit(binding: TrustBinding, claims: JWTPayload, clock: Clock): string | null {
  for (const [claim, wanted] of Object.entries(binding.match)) {
    const value = claimOf(claims, claim);
    if (value === null) return `the token has no claim "${claim}"`;
    if (!fits(wanted, value)) return `the claim "${claim}" is ${JSON.stringify(value)}`;
  }
  const { strangers } = platforms[binding.platform];
  if (strangers !== null) {
    const value = claimOf(claims, strangers.claim);
    const named = binding.match[strangers.claim]?.some((wanted) => !wanted.includes('*') && strangers.values.test(wanted)) === true;
    if (value !== null && strangers.values.test(value) && !named)
      return `it was started by ${strangers.words} ("${strangers.claim}" is ${JSON.stringify(value)})`;
  }
  const age = Date.parse(clock.now()) / 1000 - (claims.iat ?? 0);
  if (age > binding.max_age_seconds + SKEW_SECONDS) return `it is ${Math.floor(age)} s old`;
  return null;
}

async function evidenceOf(world: WorkloadWorld, caller: TrustedCaller, claims: JWTPayload): Promise<WorkloadEvidence | string> {
  const binding = bindingOf(caller);
  const platform = platforms[binding.platform];
  let environment: string | null = null;
  if (binding.environment !== null) {
    const value = claimOf(claims, binding.environment.claim);
    if (value === null) return `the token has no claim "${binding.environment.claim}", which fixes the environment`;
    const { values } = binding.environment;
    const named = values === null ? value : Object.hasOwn(values, value) ? values[value] : undefined;
    if (named === undefined || !covers(caller.rights.environments, named)) return `the environment ${JSON.stringify(value)} is not one of the rule`;
    environment = named;
  }
  const human = await humanOf(world, caller.tenant, binding, claims);
  if (typeof human === 'string') return human;
  const { workflow } = platform;
  const kept = new Set([...platform.kept, ...Object.keys(binding.match)]);
  return {
    issuer: binding.issuer,
    subject: String(claims.sub),
    token_id: typeof claims.jti === 'string' ? claims.jti : null,
    claims: Object.fromEntries([...kept].flatMap((name) => (claimOf(claims, name) === null ? [] : [[name, claimOf(claims, name) ?? '']]))),
    workflow:
      workflow === null ? null : { run: claimOf(claims, workflow.run), repository: claimOf(claims, workflow.repository), job: claimOf(claims, workflow.job) },
    human,
    environment,
  };
}

/** The human whom the token names: who is known by the account's id; else by the text that the platform vouches for. */
async function humanOf(world: WorkloadWorld, tenant: string, { human }: TrustBinding, claims: JWTPayload): Promise<WorkloadEvidence['human'] | string> {
  if (human === null) return null;
  const user = claimOf(claims, human.user);
  if (user === null) return human.unknown === 'refuse' ? `the token names nobody ("${human.user}")` : null;
  const name = claimOf(claims, human.name) ?? user;
  const person = await world.callers.personOfIdentity(tenant, human.issuer, user);
  if (person === null && human.unknown === 'refuse')
    return `the directory knows nobody who is ${user} at ${human.issuer}: give the person oidc: [{ issuer: ${human.issuer}, subject: "${user}" }], or the rule human: { unknown: keep }`;
  const said = human.ref === null ? null : claimOf(claims, human.ref);
  return { platform: human.issuer, user, name, ref: person ?? said ?? name };
}

/** Takes a token that counts once; a sentence where it was taken before, on whichever replica. */
async function spend(world: WorkloadWorld, { tenant, ...caller }: TrustedCaller, claims: JWTPayload): Promise<string | null> {
  const binding = bindingOf(caller);
  if (binding.replay === 'until_expires') return null;
  if (typeof claims.jti !== 'string' || claims.jti === '') return 'This token has no id ("jti"), so that it could not be told from a copy.';
  const over = formatInstant(((claims.exp ?? 0) + 2 * SKEW_SECONDS) * 1000);
  const first = await world.callers.spend(tenant, hashOf(JSON.stringify(['countersign/workload-token', binding.issuer, claims.jti])), over);
  return first ? null : 'This token was used already. It counts once: get a new one, or exchange it at /v1/token for one that lasts ten minutes.';
}

/** Written by applyTrust alone, which holds it against the schema. */
const bindingOf = ({ binding }: Pick<ApiKeyRecord, 'binding'>): TrustBinding => binding as unknown as TrustBinding;

const refused = (detail: string): WorkloadVerdict & { kind: 'refused' } => ({ kind: 'refused', detail });

function wordsOf(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) return error.claim === 'iat' ? 'This token is too old.' : 'This token has expired.';
  if (error instanceof errors.JWTClaimValidationFailed) return `This token's claim "${error.claim}" does not fit.`;
  if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JWKSNoMatchingKey)
    return 'The signature of this token is not one of its issuer.';
  return 'This token cannot be verified.';
}
