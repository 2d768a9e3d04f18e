import type { IncomingMessage } from 'node:http';

import type { ProblemInput } from './problem.js';

/**
 * Whether a request that a cookie authenticates may change something: a browser has to say that our own page sent it.
 *
 * `Sec-Fetch-Site: same-origin` (Fetch Metadata) is enough; where it is absent, `Origin` (RFC 6454) must be one of ours. A request with neither,
 * or one that contradicts itself, is refused. GET, HEAD and OPTIONS pass: they change nothing.
 *
 * @param origins for example `https://countersign.example.com`; compared exactly.
 * @returns the problem to answer with, or undefined.
 */
export function crossSiteProblem(request: IncomingMessage, origins: readonly string[]): ProblemInput | undefined {
  if (request.method === 'GET' || request.method === 'HEAD' || request.method === 'OPTIONS') return undefined;
  const { origin } = request.headers;
  const site = request.headers['sec-fetch-site'];
  const originFits = origin === undefined ? undefined : origins.includes(origin);
  if (originFits !== false && (site === 'same-origin' || (site === undefined && originFits === true))) return undefined;
  return {
    code: 'cross_site_request',
    title: 'Cross-site request',
    status: 403,
    detail: 'A request with a session cookie must come from a page of this service.',
  };
}
