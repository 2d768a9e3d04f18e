import { OidcProvider, type OidcProviderConfig, presetOf } from '@countersign/identity';
import type { IntakeDeps } from '@countersign/intake';
import type { Config } from '@countersign/service';
import { TENANT } from './world.js';

/** The identity provider that people sign in by, and Slack's, which proves a Slack account when it is linked. */
export function signInOf(config: Pick<Config, 'oidc' | 'slackSignIn' | 'linkCooldownSeconds' | 'http'>): NonNullable<IntakeDeps['signIn']> {
  const { oidc, slackSignIn, linkCooldownSeconds, http } = config;
  const providers: OidcProviderConfig[] = [
    ...(oidc === undefined
      ? []
      : [
          {
            id: 'sso',
            issuer: oidc.issuer,
            clientId: oidc.clientId,
            clientSecret: oidc.clientSecret?.reveal() ?? null,
            preset: oidc.preset ?? presetOf(oidc.issuer),
            pins: oidc.pins,
            scopes: oidc.scopes,
            groupsClaim: oidc.groupsClaim ?? null,
            jit: oidc.jit,
            use: 'sign_in' as const,
          },
        ]),
    ...(slackSignIn === undefined
      ? []
      : [
          {
            id: 'slack',
            issuer: slackSignIn.issuer,
            clientId: slackSignIn.clientId,
            clientSecret: slackSignIn.clientSecret.reveal(),
            preset: 'slack' as const,
            pins: {},
            scopes: ['profile'],
            groupsClaim: null,
            jit: false,
            use: 'link' as const,
          },
        ]),
  ];
  return { tenant: TENANT, linkCooldownSeconds, providers: providers.map((provider) => new OidcProvider(provider, http.publicUrl)) };
}
