import { createHash, X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { ClientCertificate } from './authenticate-caller.js';
import { inNetworks } from './caller-networks.js';

/** Where a proxy that ends TLS writes the certificate that it has verified. */
export interface CertificateHeader {
  /** Lower case. */
  name: string;
  /** Address blocks of the proxies that may. */
  trustedProxies: readonly string[];
}

/**
 * The client certificate of a request: of the TLS connection itself, whose handshake proved its key; else what a trusted proxy wrote of its own
 * (RFC 9440: `:base64:`, or PEM with percent-encoding as nginx writes it). From anybody else the header is air. Null where there is none.
 */
export function certificateOf(request: IncomingMessage, header: CertificateHeader | null): ClientCertificate | null {
  const { socket } = request;
  if (socket instanceof TLSSocket) {
    const certificate = socket.getPeerX509Certificate();
    // A name counts only where the operator's authority gave it; the key itself proved the thumbprint.
    if (certificate !== undefined) return described(certificate, socket.authorized);
  }
  if (header === null || header.trustedProxies.length === 0 || !inNetworks(header.trustedProxies, socket.remoteAddress ?? null)) return null;
  const value = request.headers[header.name];
  if (typeof value !== 'string' || value === '') return null;
  try {
    const binary = /^:([A-Za-z0-9+/]+={0,2}):$/.exec(value)?.[1];
    return described(new X509Certificate(binary === undefined ? decodeURIComponent(value) : Buffer.from(binary, 'base64')), true);
  } catch {
    return null;
  }
}

function described(certificate: X509Certificate, named: boolean): ClientCertificate {
  const thumbprint = createHash('sha256').update(certificate.raw).digest('base64url');
  return { thumbprint, san: named ? namesOf(certificate.subjectAltName ?? '') : [] };
}

/** Node writes names one after the other, and quotes those that could be read as more than one: of a certificate with such a name none counts. */
function namesOf(text: string): string[] {
  if (text.includes('"')) return [];
  return text.split(', ').filter((name) => /^(DNS|URI):[\x21-\x7e]+$/.test(name));
}
