import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type PublicSigningKey, thumbprint } from '@countersign/keys';
import { z } from 'zod';
import { CliError, messageOf } from './cli-error.js';
import type { Terminal } from './terminal.js';

/** Ed25519 keys as RFC 8037 writes them; keys of other kinds are passed over. */
const jwksSchema = z.looseObject({
  keys: z.array(z.looseObject({ kty: z.string(), crv: z.string().optional(), x: z.string().optional(), kid: z.string().optional() })),
});

/** The Ed25519 keys of a JWKS at an address or in a file. @throws CliError `unusable` */
export async function readJwks(place: string, terminal: Terminal): Promise<PublicSigningKey[]> {
  const text = await textOf(place, terminal);
  let keys;
  try {
    ({ keys } = jwksSchema.parse(JSON.parse(text)));
  } catch (cause) {
    throw new CliError('unusable', `${place} is no JWKS.`, { cause });
  }
  return keys.flatMap(({ kty, crv, x, kid }) => {
    const publicKey = kty === 'OKP' && crv === 'Ed25519' && x !== undefined ? new Uint8Array(Buffer.from(x, 'base64url')) : null;
    return publicKey?.length === 32 ? [{ kid: kid ?? thumbprint(publicKey), publicKey }] : [];
  });
}

async function textOf(place: string, terminal: Terminal): Promise<string> {
  try {
    if (!/^https?:\/\//.test(place)) return await readFile(path.resolve(terminal.cwd, place), 'utf8');
    const answer = await fetch(place, { redirect: 'error', signal: AbortSignal.timeout(10_000) });
    if (answer.status !== 200) throw new CliError('unusable', `it answered ${answer.status}`);
    return await answer.text();
  } catch (cause) {
    throw new CliError('unusable', `${place} cannot be read: ${messageOf(cause)}.`, { cause });
  }
}
