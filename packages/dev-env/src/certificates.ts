import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** A certificate with its key, in PEM. Node reads certificates and makes none, so they are written as DER by hand (RFC 5280, section 4.1). */
export interface Certificate {
  key: string;
  cert: string;
  name: string;
  signer: KeyObject;
}

/** A throw-away Ed25519 certificate: of an authority where `ca` is true, signed by `by` or by itself. */
export function makeCertificate(
  name: string,
  { by, ca = false, dns = [], uris = [] }: { by?: Certificate; ca?: boolean; dns?: string[]; uris?: string[] } = {},
): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const algorithm = der(0x30, hex('06032b6570'));
  const names = [...dns.map((text) => der(0x82, Buffer.from(text))), ...uris.map((text) => der(0x86, Buffer.from(text)))];
  const extensions = [
    ...(ca ? [der(0x30, hex('0603551d13'), hex('0101ff'), der(0x04, der(0x30, hex('0101ff'))))] : []),
    ...(names.length === 0 ? [] : [der(0x30, hex('0603551d11'), der(0x04, der(0x30, ...names)))]),
  ];
  const body = der(
    0x30,
    hex('a003020102'), // version 3
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    distinguished(by?.name ?? name),
    der(0x30, der(0x17, Buffer.from('200101000000Z')), der(0x17, Buffer.from('491231235959Z'))),
    distinguished(name),
    publicKey.export({ format: 'der', type: 'spki' }),
    ...(extensions.length === 0 ? [] : [der(0xa3, der(0x30, ...extensions))]),
  );
  const certificate = der(0x30, body, algorithm, der(0x03, hex('00'), sign(null, body, by?.signer ?? privateKey)));
  return {
    name,
    signer: privateKey,
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
  };
}

function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const length = content.length < 0x80 ? [content.length] : [0x82, content.length >> 8, content.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const distinguished = (name: string): Buffer => der(0x30, der(0x31, der(0x30, hex('0603550403'), der(0x0c, Buffer.from(name)))));
