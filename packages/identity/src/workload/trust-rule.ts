import { keyRightsSchema } from '@countersign/contracts';
import { canonicalJson, type Digest, utf8 } from '@countersign/core/request';
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { isNetwork } from '../caller-networks.js';
import { type HumanClaims, platformNames, platforms } from './platforms.js';

/** A claim, by name or JSON pointer. */
const claimNameSchema = z.string().min(1).max(200);
const valueSchema = z.union([z.string().min(1).max(1024), z.int().transform(String), z.boolean().transform(String)]);
/** The value, or one of several; `*` in it stands for any run of characters. */
const wantedSchema = z.union([valueSchema.transform((value) => [value]), z.array(valueSchema).min(1).max(100)]);

/** https, or http to this machine alone: keys that came over an open network prove nothing. */
const issuerSchema = z
  .url()
  .max(500)
  .refine((text) => {
    const { protocol, hostname, search, hash, username } = new URL(text);
    return (protocol === 'https:' || (protocol === 'http:' && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname))) && search + hash + username === '';
  }, 'must be an https URL without query');

/** Public keys of signatures, pasted. A secret key, or a symmetric one, has no place in a file in git. */
const pastedKeysSchema = z.strictObject({
  keys: z
    .array(
      z
        .looseObject({ kty: z.enum(['RSA', 'EC', 'OKP'], 'is no public key of a signature') })
        .refine((key) => !('d' in key || 'k' in key), 'is a private key: paste the public one'),
    )
    .min(1)
    .max(50),
});

/** One entry of `trust`. */
export const trustRuleSchema = z
  .strictObject({
    /** What people read on cards. */
    caller: z.string().min(1).max(128),
    /** The person who answers for it, by e-mail address or id. */
    owner: z.string().min(1).max(320),
    platform: z.enum(platformNames),
    issuer: issuerSchema.optional(),
    audience: z.string().min(1).max(500).optional(),
    /** Where its keys are; absent: the issuer's discovery document says. Keys may be pasted where they cannot be reached. */
    jwks: z.union([issuerSchema, pastedKeysSchema]).optional(),
    match: z.record(claimNameSchema, wantedSchema),
    /** Of platform `other`: the claims that name one thing for ever. */
    immutable: z.array(claimNameSchema).max(20).optional(),
    rights: keyRightsSchema.extend({
      environments: keyRightsSchema.shape.environments.default(['*']),
      callback_hosts: keyRightsSchema.shape.callback_hosts.default([]),
      redeem: z.boolean().default(false),
    }),
    /** The claim that fixes the environment of all that the run asks; `values` translates. A token without it is refused. */
    environment: z.strictObject({ claim: claimNameSchema, values: z.record(z.string(), z.string().min(1).max(64)).optional() }).optional(),
    /** Who started the run; `false`: the platform's tokens name nobody. Whom the directory does not know is refused, for it might be an approver; `unknown: keep` keeps the text in the chain. */
    human: z
      .union([
        z.literal(false),
        z.strictObject({
          issuer: z.string().min(1).max(500).optional(),
          user: claimNameSchema.optional(),
          name: claimNameSchema.optional(),
          ref: claimNameSchema.optional(),
          unknown: z.enum(['keep', 'refuse']).optional(),
        }),
      ])
      .optional(),
    replay: z.enum(['once', 'until_expires']).optional(),
    max_age_seconds: z.int().min(30).max(86_400).optional(),
    networks: z.array(z.string().refine(isNetwork, 'is no address and no CIDR block')).max(100).default([]),
  })
  .superRefine((rule, context) => {
    const platform = platforms[rule.platform];
    const fault = (path: (string | number)[], message: string): void => context.addIssue({ code: 'custom', path, message });
    if (rule.issuer === undefined && platform.issuer === null)
      fault(['issuer'], `platform ${rule.platform} has an issuer of its own for each installation: name it`);
    if (rule.platform !== 'other' && rule.immutable !== undefined) fault(['immutable'], 'is for platform "other" alone');
    if (typeof rule.human === 'object' && rule.human.user === undefined && platform.human === null) fault(['human'], 'name the claim with the account: `user`');
    const immutable = rule.immutable ?? platform.immutable;
    const pinned = (claim: string): boolean => rule.match[claim]?.every((value) => !value.includes('*')) === true;
    if (!immutable.some(pinned)) {
      fault(
        ['match'],
        immutable.length === 0
          ? 'say with `immutable` which claim names one thing for ever, and pin it here'
          : `must pin ${immutable.map((claim) => `"${claim}"`).join(' or ')} exactly: names can be given to others`,
      );
    }
    for (const claim of Object.keys(rule.match)) {
      const id = rule.platform === 'other' ? undefined : platform.names[claim];
      if (id !== undefined && !immutable.includes(claim) && !pinned(id)) fault(['match', claim], `is a name that others can get: pin "${id}" beside it`);
      if (['iss', 'aud', 'exp', 'iat', 'nbf', 'jti'].includes(claim)) fault(['match', claim], 'is not for rules to match');
      if (rule.match[claim]?.some((value) => /^\*+$/.test(value)) === true) fault(['match', claim], 'matches anything: leave the claim out');
    }
  });
export type TrustRule = z.output<typeof trustRuleSchema>;

/** What the row of a workload's caller holds of its rule: everything that judges a token. */
export interface TrustBinding {
  /** Over all other members: a token that was given under another rule does not count. */
  digest: Digest;
  platform: TrustRule['platform'];
  issuer: string;
  audience: string;
  jwks: string | { keys: object[] } | null;
  match: Record<string, string[]>;
  environment: { claim: string; values: Record<string, string> | null } | null;
  human: (HumanClaims & { issuer: string; unknown: 'keep' | 'refuse' }) | null;
  replay: 'once' | 'until_expires';
  max_age_seconds: number;
}

/** The rule with what its platform and the service fill in. */
export function bindingOf(rule: TrustRule, publicUrl: string): TrustBinding {
  const platform = platforms[rule.platform];
  const issuer = rule.issuer ?? platform.issuer ?? '';
  const binding = {
    platform: rule.platform,
    issuer,
    audience: rule.audience ?? publicUrl,
    jwks: rule.jwks ?? null,
    match: rule.match,
    environment: rule.environment === undefined ? null : { claim: rule.environment.claim, values: rule.environment.values ?? null },
    human: humanOf(rule, issuer),
    replay: rule.replay ?? platform.replay,
    max_age_seconds: rule.max_age_seconds ?? platform.max_age_seconds,
  };
  const digest = createHash('sha256')
    // A rule is JSON: it was read from YAML 1.2's core schema and checked.
    .update(utf8(canonicalJson(binding)))
    .digest('hex');
  return { digest: `sha256:${digest}`, ...binding };
}

function humanOf({ platform, human }: TrustRule, issuer: string): TrustBinding['human'] {
  const known = platforms[platform].human;
  if (human === false || (human === undefined && known === null)) return null;
  const user = human?.user ?? known?.user;
  if (user === undefined) return null;
  return {
    issuer: human?.issuer ?? known?.issuer ?? issuer,
    user,
    name: human?.name ?? known?.name ?? user,
    ref: human?.ref ?? known?.ref ?? null,
    unknown: human?.unknown ?? 'refuse',
  };
}

/** Whether a text fits what a rule wants; `*` stands for any run of characters, everything else for itself. */
export function fits(wanted: readonly string[], text: string): boolean {
  return wanted.some((pattern) => {
    const [first = '', ...rest] = pattern.split('*');
    const last = rest.pop();
    if (last === undefined) return text === first;
    if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
    let position = first.length;
    for (const piece of rest) {
      const found = text.indexOf(piece, position);
      if (found < 0 || found + piece.length > text.length - last.length) return false;
      position = found + piece.length;
    }
    return true;
  });
}
