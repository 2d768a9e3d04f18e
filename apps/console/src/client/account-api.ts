import type { LinkAnswer, NewTokenBody, OpenedLink, SessionAnswer, SignInOptions, TokenAnswer } from '@countersign/contracts';
import { call } from './api.js';

/** What people ask of the API about themselves: how to sign in, sessions, tokens, chat accounts. */
export const account = {
  signInOptions: () => call<SignInOptions>('GET', '/v1/sign-in'),
  /** Ends the session here, and tells where it is ended at the identity provider. */
  logOut: () => call<{ url: string | null }>('POST', '/v1/sign-in/logout', {}),
  sessions: () => call<{ data: SessionAnswer[] }>('GET', '/v1/sessions'),
  endSession: (id: string) => call<void>('DELETE', `/v1/sessions/${id}`),
  endOtherSessions: () => call<{ ended: number }>('POST', '/v1/sessions/end', { keep_current: true }),
  tokens: () => call<{ data: TokenAnswer[] }>('GET', '/v1/tokens'),
  makeToken: (body: NewTokenBody) => call<TokenAnswer & { token: string }>('POST', '/v1/tokens', body),
  revokeToken: (id: string) => call<void>('DELETE', `/v1/tokens/${id}`),
  links: () => call<{ data: LinkAnswer[] }>('GET', '/v1/links'),
  cutLink: (id: string) => call<void>('DELETE', `/v1/links/${id}`),
  openLink: (token: string) => call<OpenedLink>('POST', '/v1/links/open', { token }),
  proveLink: (token: string, way: 'slack_oidc' | 'code') => call<{ url: string | null }>('POST', '/v1/links/prove', { token, way }),
  confirmLink: (token: string, code: string | null) => call<LinkAnswer>('POST', '/v1/links/confirm', { token, ...(code === null ? {} : { code }) }),
};

/** Where the identity provider is asked, and the page to come back to. */
export function startAddress(start: string, returnTo: string, maxAge: number | null = null): string {
  const url = new URL(start);
  // The provider's address is that of PUBLIC_URL; in a quickstart this page may stand at another name of this machine.
  const query = new URLSearchParams([...url.searchParams, ['return_to', returnTo], ...(maxAge === null ? [] : [['max_age', String(maxAge)]])]);
  return `${url.origin}${url.pathname}?${query.toString()}`;
}
