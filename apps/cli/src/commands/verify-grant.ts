import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { actionSchema, grantClaimsSchema } from '@countersign/contracts';
import { actionOf } from '@countersign/core/outcome';
import { actionDigest, parseStrictJson } from '@countersign/core/request';
import { verifyJws } from '@countersign/keys';
import { CliError, EXIT } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';
import { readJwks } from '../jwks.js';
import type { Terminal } from '../terminal.js';

const USAGE = `Usage: countersign verify-grant GRANT --jwks URL|FILE [options]
  Checks a grant (a compact JWS), offline: its signature, its form, and that it has not expired. That it was not redeemed or
  revoked only the service knows: POST /v1/grants/redeem. GRANT is - for standard input.
  --jwks URL|FILE          Countersign's keys: /.well-known/jwks.json, or a copy
  --action FILE            the action as it will run, JSON; its digest must be the grant's
  --audience TEXT          who must be meant
  --json                   the claims as JSON`;

export const verifyGrant: Command = {
  name: 'verify-grant',
  summary: "check a grant's signature, time and action",
  usage: USAGE,
  async run(args, terminal) {
    const { values, positionals } = readArguments(
      args,
      { jwks: { type: 'string' }, action: { type: 'string' }, audience: { type: 'string' }, json: { type: 'boolean', default: false } },
      1,
    );
    const [argument] = positionals;
    if (argument === undefined || values.jwks === undefined) throw new CliError('usage', 'Give the grant and --jwks.');
    const token =
      argument === '-'
        ? Buffer.from(await terminal.stdin())
            .toString('utf8')
            .trim()
        : argument;
    const wrong = (why: string): number => {
      terminal.out(values.json ? JSON.stringify({ ok: false, why }) : `WRONG: ${why}`);
      return EXIT.wrong;
    };
    const verdict = verifyJws(token, await readJwks(values.jwks, terminal));
    if (!verdict.ok) return wrong(WORDS[verdict.reason]);
    const { data: claims } = grantClaimsSchema.safeParse(verdict.payload);
    if (claims === undefined) return wrong('it is signed, but its claims are not those of a grant.');
    const left = claims.exp - Math.floor(Date.now() / 1000);
    if (left <= 0) return wrong(`it expired ${new Date(claims.exp * 1000).toISOString()}.`);
    if (values.audience !== undefined && values.audience !== claims.aud) return wrong(`it is for ${JSON.stringify(claims.aud)}.`);
    if (values.action !== undefined) {
      const digest = await digestOfFile(values.action, terminal);
      if (digest !== claims.act_digest) return wrong(`the action has the digest ${digest}, the grant is for ${claims.act_digest}.`);
    }
    if (values.json) terminal.out(JSON.stringify({ ok: true, claims }, null, 2));
    else {
      terminal.out(`OK: grant ${claims.jti} of ${claims.action_request}, for ${claims.aud}, by ${claims.iss}, ${left} seconds left`);
      terminal.out(`  for the action ${claims.act_digest}${values.action === undefined ? ' (give --action to compare)' : ', which is the one given'}`);
    }
    return EXIT.fine;
  },
};

const WORDS = {
  malformed: 'it is not a grant: a compact JWS of three strict base64url parts.',
  wrong_header: 'its header is not that of a grant.',
  unknown_key: 'it names a key that the JWKS has not.',
  bad_signature: 'its signature does not verify: it was altered, or forged.',
} as const;

async function digestOfFile(file: string, terminal: Terminal): Promise<string> {
  const bytes = await readFile(path.resolve(terminal.cwd, file)).catch((cause: unknown) => {
    throw new CliError('unusable', `${file} cannot be read.`, { cause });
  });
  const parsed = parseStrictJson(new Uint8Array(bytes));
  const action = parsed.ok ? actionSchema.safeParse(parsed.value).data : undefined;
  if (action === undefined)
    throw new CliError('usage', `${file} is no action: a JSON object with action, resource, actor and, where given, parameters and environment.`);
  return actionDigest(actionOf(action));
}
