import { isNativeError } from 'node:util/types';
import { errors } from 'undici';
import type { FailedAttempt, FailureReason } from '../transport.js';

/** Names what a socket, the resolver, TLS or undici ended with. Throws the error again when it is a fault of ours. */
export function failureOf(error: unknown): FailedAttempt {
  // It has a code for some malformed answers only.
  if (error instanceof errors.HTTPParserError) return { kind: 'failed', reason: 'protocol', detail: 'the answer is not HTTP/1.1' };
  const code = codeOf(error);
  if (code === undefined || code === 'UND_ERR_INVALID_ARG' || code === 'ERR_INVALID_URL') throw error;
  // The code alone: a message may quote what the receiver sent.
  return { kind: 'failed', reason: reasonOf(code), detail: code };
}

function reasonOf(code: string): FailureReason {
  const known = REASONS[code];
  if (known) return known;
  if (/^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_|INVALID_CA|PATH_LENGTH|CRL_)/.test(code)) return 'tls';
  return 'connection_lost';
}

const REASONS: Readonly<Record<string, FailureReason>> = {
  ECONNREFUSED: 'refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EAI_FAIL: 'dns',
  EAI_NODATA: 'dns',
  EPROTO: 'tls',
  ETIMEDOUT: 'timeout',
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  UND_ERR_HEADERS_OVERFLOW: 'protocol',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'protocol',
};

/** Node puts the failures of several addresses into an AggregateError that carries the first one's code. */
function codeOf(error: unknown): string | undefined {
  return isNativeError(error) && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
