import { createCipheriv, createDecipheriv, createHash, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { grantClaimsSchema } from '@countersign/contracts';
import type { FlowDeps } from '@countersign/core/flow';
import type { SealContext, Sealer, Signer } from '@countersign/core/ports';
import { canonicalJson, fromBase64url, fromUtf8, utf8 } from '@countersign/core/request';

export interface TestKeys {
  sealer: Sealer;
  signer: Signer;
  verifyGrant: FlowDeps['verifyGrant'];
  jwks: () => Promise<{ keys: object[] }>;
}

/** A key pair and a sealer of this process alone: real cryptography, without a keyring. */
export function createTestKeys(): TestKeys {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const { x = '' } = publicKey.export({ format: 'jwk' });
  const jwk = { crv: 'Ed25519', kty: 'OKP', x };
  const kid = createHash('sha256').update(canonicalJson(jwk)).digest('base64url'); // RFC 7638
  return {
    sealer: createSealer(),
    signer: { kid, publicKey: fromBase64url(x), sign: (bytes) => Promise.resolve(new Uint8Array(sign(null, bytes, privateKey))) },
    jwks: () => Promise.resolve({ keys: [{ ...jwk, kid, alg: 'EdDSA', use: 'sig' }] }),
    verifyGrant(token) {
      const [header = '', payload = '', signature = '', ...more] = token.split('.');
      try {
        if (more.length > 0 || !verify(null, utf8(`${header}.${payload}`), publicKey, fromBase64url(signature))) return Promise.resolve(null);
        return Promise.resolve(grantClaimsSchema.parse(JSON.parse(fromUtf8(fromBase64url(payload)))));
      } catch {
        return Promise.resolve(null);
      }
    },
  };
}

/** AES-256-GCM with the place as additional data. */
function createSealer(): Sealer {
  const master = randomBytes(32);
  const place = (context: SealContext): Uint8Array => utf8(canonicalJson(context));
  const sealUnder: Sealer['sealUnder'] = (key, context, plaintext) => {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(place(context));
    return new Uint8Array(Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]));
  };
  const openUnder: Sealer['openUnder'] = (key, context, sealed) => {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12), { authTagLength: 16 }).setAAD(place(context)).setAuthTag(sealed.subarray(-16));
    return new Uint8Array(Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]));
  };
  return {
    sealUnder,
    openUnder,
    seal: (context, plaintext) => Promise.resolve(sealUnder(master, context, plaintext)),
    open: (context, sealed) => Promise.resolve(openUnder(master, context, sealed)),
  };
}
