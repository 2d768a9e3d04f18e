import type { Config } from '@countersign/service';
import { z } from 'zod';
import { messageOf } from '../cli-error.js';
import { type Check, fail, ok, warn } from './check.js';

/** What OpenID Connect Discovery 1.0, section 3, says of a provider, as far as sign-in needs it. */
const metadataSchema = z.looseObject({
  issuer: z.string(),
  authorization_endpoint: z.string(),
  token_endpoint: z.string(),
  jwks_uri: z.string(),
  code_challenge_methods_supported: z.array(z.string()).optional(),
  id_token_signing_alg_values_supported: z.array(z.string()).optional(),
  claims_supported: z.array(z.string()).optional(),
  end_session_endpoint: z.string().optional(),
  backchannel_logout_supported: z.boolean().optional(),
});
type Metadata = z.infer<typeof metadataSchema>;
const keysSchema = z.looseObject({ keys: z.array(z.unknown()) });

/** A token is good for some minutes: clocks further apart than this, in seconds, refuse good ones. */
const MOST_SKEW_SECONDS = 30;
const PATIENCE_MS = 10_000;

/** The identity provider as the service would use it: what it says of itself, its keys, its clock, and whether it knows our redirect address. */
export async function identityChecks(config: Pick<Config, 'oidc' | 'slackSignIn' | 'http'>): Promise<Check[]> {
  const { oidc, slackSignIn, http } = config;
  return [
    ...(oidc === undefined ? [] : await providerChecks('sign-in', { ...oidc, redirect: `${http.publicUrl}/v1/sign-in/callback/sso` })),
    ...(slackSignIn === undefined ? [] : await providerChecks('Slack sign-in', { ...slackSignIn, redirect: `${http.publicUrl}/v1/sign-in/callback/slack` })),
  ];
}

async function providerChecks(name: string, provider: { issuer: string; clientId: string; redirect: string }): Promise<Check[]> {
  const { issuer } = provider;
  const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  let answer: Response;
  let metadata: Metadata;
  try {
    answer = await fetch(address, { redirect: 'error', signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok)
      return [
        fail(name, `${address} answered ${answer.status}`, 'Set the issuer exactly as the provider writes it; docs/identity.md has it for each provider.'),
      ];
    metadata = metadataSchema.parse(await answer.json());
  } catch (error) {
    return [
      fail(
        name,
        `${address} cannot be read: ${messageOf(error)}`,
        'Check the network from here, the issuer, and the certificates that Node trusts (NODE_EXTRA_CA_CERTS).',
      ),
    ];
  }
  if (metadata.issuer !== issuer)
    return [fail(name, `the provider calls itself ${metadata.issuer}`, 'Set OIDC_ISSUER to exactly that: tokens are held against it letter for letter.')];
  return [
    ok(name, `${issuer} answers`),
    ...algorithms(name, metadata),
    await keysCheck(name, metadata),
    clockCheck(name, answer.headers.get('date')),
    await redirectCheck(name, metadata, provider),
  ];
}

function algorithms(name: string, { code_challenge_methods_supported: pkce, id_token_signing_alg_values_supported: algs }: Metadata): Check[] {
  const checks: Check[] = [];
  if (pkce !== undefined && !pkce.includes('S256'))
    checks.push(
      warn(`${name} PKCE`, 'the provider does not say that it knows S256', 'It is sent all the same; allow PKCE for the client where that is a setting.'),
    );
  if (algs !== undefined && algs.every((alg) => alg === 'none' || alg.startsWith('HS')))
    checks.push(fail(`${name} keys`, 'ID tokens are not signed by a key of the provider’s own', 'Choose RS256 or ES256 for the client.'));
  return checks;
}

async function keysCheck(name: string, { jwks_uri }: Metadata): Promise<Check> {
  try {
    const answer = await fetch(jwks_uri, { redirect: 'error', signal: AbortSignal.timeout(PATIENCE_MS) });
    const { keys } = keysSchema.parse(await answer.json());
    return keys.length > 0
      ? ok(`${name} keys`, `${keys.length} published`)
      : fail(`${name} keys`, `${jwks_uri} has none`, 'No token could be verified; the provider has to publish its keys.');
  } catch (error) {
    return fail(`${name} keys`, `${jwks_uri} cannot be read: ${messageOf(error)}`, 'Let this machine reach that address.');
  }
}

function clockCheck(name: string, date: string | null): Check {
  const skew = Math.abs(Date.now() - Date.parse(date ?? '')) / 1000;
  if (Number.isNaN(skew)) return ok(`${name} clock`, 'the provider does not tell its time');
  return skew <= MOST_SKEW_SECONDS
    ? ok(`${name} clock`, 'close to ours')
    : fail(`${name} clock`, `${Math.round(skew)} s from ours`, 'Synchronise this machine (NTP): good tokens are refused otherwise.');
}

/** Begins a sign-in as a browser would, without anybody in it. Providers refuse an address that they do not know before they ask who it is. */
async function redirectCheck(
  name: string,
  { authorization_endpoint }: Metadata,
  { clientId, redirect }: { clientId: string; redirect: string },
): Promise<Check> {
  const register = `Register ${redirect} as a redirect URI of the client, letter for letter.`;
  if (redirect.startsWith('http:') && !/^http:\/\/(localhost|127\.0\.0\.1|\[::1\])[:/]/.test(redirect))
    return fail(`${name} redirect`, 'PUBLIC_URL is not https', 'Providers send codes to https alone; put TLS before the service and set PUBLIC_URL.');
  const url = new URL(authorization_endpoint);
  const asked = { response_type: 'code', client_id: clientId, redirect_uri: redirect, scope: 'openid', state: 'doctor', nonce: 'doctor' };
  // Any challenge will do: the code that it would guard is never asked for.
  for (const [member, value] of Object.entries({ ...asked, code_challenge: 'A'.repeat(43), code_challenge_method: 'S256' }))
    url.searchParams.set(member, value);
  try {
    const answer = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(PATIENCE_MS) });
    const location = answer.headers.get('location') ?? '';
    if (answer.status >= 400 || /[?&/]error/.test(location)) {
      return fail(`${name} redirect`, `the provider refuses the client or its address (${answer.status})`, `${register} Check OIDC_CLIENT_ID too.`);
    }
    return ok(`${name} redirect`, `${redirect} was not refused`);
  } catch (error) {
    return warn(`${name} redirect`, `${url.host} did not answer: ${messageOf(error)}`, register);
  }
}
