import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { decodePublicKey, DeliveryError, verifyWebhook, type WebhookVerification } from '@countersign/delivery';
import { CliError, EXIT, messageOf } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';
import { readJwks } from '../jwks.js';
import type { Terminal } from '../terminal.js';

const USAGE = `Usage: countersign verify-webhook [FILE] --secret whsec_… [options]
  Checks the signature of a callback (Standard Webhooks), offline. FILE, or standard input, holds it as it came over HTTP:
  header lines (webhook-id, webhook-timestamp, webhook-signature), an empty line, and the body byte for byte.
  --body FILE              the body from a file of its own; FILE then holds the headers alone
  --secret whsec_…         the endpoint's secret, for v1 signatures; several if need be (or COUNTERSIGN_WEBHOOK_SECRET)
  --public-key whpk_…      Countersign's key, for v1a signatures
  --jwks URL|FILE          the same keys as /.well-known/jwks.json has them
  --any-age                accept a time stamp that is more than 5 minutes off: for messages that were kept`;

export const verifyWebhookCommand: Command = {
  name: 'verify-webhook',
  summary: "check a callback's signature",
  usage: USAGE,
  async run(args, terminal) {
    const { values, positionals } = readArguments(
      args,
      {
        secret: { type: 'string', multiple: true },
        'public-key': { type: 'string', multiple: true },
        jwks: { type: 'string' },
        body: { type: 'string' },
        'any-age': { type: 'boolean', default: false },
      },
      1,
    );
    const fromEnvironment = terminal.env['COUNTERSIGN_WEBHOOK_SECRET'];
    const hmacSecrets = values.secret ?? (fromEnvironment === undefined ? [] : [fromEnvironment]);
    try {
      const publicKeys = [
        ...(values['public-key'] ?? []).map(decodePublicKey),
        ...(values.jwks === undefined ? [] : await readJwks(values.jwks, terminal)).map(({ publicKey }) => publicKey),
      ];
      if (hmacSecrets.length + publicKeys.length === 0) throw new CliError('usage', 'Give --secret, --public-key or --jwks.');
      const message = await readMessage(positionals[0], values.body, terminal);
      const now = values['any-age'] ? Number(message.headers['webhook-timestamp']) : Math.floor(Date.now() / 1000);
      const verdict = verifyWebhook(message, { hmacSecrets, publicKeys }, now);
      if (!verdict.ok) {
        terminal.out(`WRONG: ${WORDS[verdict.reason]}`);
        return EXIT.wrong;
      }
      terminal.out(`OK: ${verdict.id}, signed ${new Date(verdict.timestamp * 1000).toISOString()} (${verdict.scheme})`);
      return EXIT.fine;
    } catch (error) {
      if (error instanceof DeliveryError) throw new CliError('usage', messageOf(error), { cause: error });
      throw error;
    }
  },
};

const WORDS: Record<Exclude<WebhookVerification, { ok: true }>['reason'], string> = {
  missing_header: 'one of webhook-id, webhook-timestamp and webhook-signature is missing, or stands there twice.',
  malformed_timestamp: 'webhook-timestamp is not whole seconds since 1970.',
  timestamp_too_old: 'webhook-timestamp is more than 5 minutes ago: a replay, or a clock that is wrong (--any-age for messages that were kept).',
  timestamp_too_new: 'webhook-timestamp is more than 5 minutes ahead: a clock is wrong.',
  no_matching_signature: 'no signature is of a key that you trust: another secret, or other bytes than were sent.',
};

interface Message {
  headers: Record<string, string | string[]>;
  body: Uint8Array;
}

async function readMessage(file: string | undefined, bodyFile: string | undefined, terminal: Terminal): Promise<Message> {
  const bytes = Buffer.from(file === undefined || file === '-' ? await terminal.stdin() : await readInput(file, terminal));
  if (bodyFile !== undefined) return { headers: headersOf(bytes.toString('latin1')), body: await readInput(bodyFile, terminal) };
  // The body begins after the first empty line, and every byte of it counts: a newline that an editor adds at the end is signed by nobody.
  const [crlf, lf] = [bytes.indexOf('\r\n\r\n'), bytes.indexOf('\n\n')];
  const [at, length] = crlf !== -1 && (lf === -1 || crlf < lf) ? [crlf, 4] : [lf, 2];
  if (at === -1) throw new CliError('usage', 'There is no empty line between headers and body.');
  return { headers: headersOf(bytes.subarray(0, at).toString('latin1')), body: bytes.subarray(at + length) };
}

function headersOf(text: string): Message['headers'] {
  const headers: Message['headers'] = {};
  for (const line of text.split(/\r?\n/)) {
    // A request or status line at the top, as `curl -i` prints it, has no name before a colon.
    const [, name, value] = /^([A-Za-z0-9-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    const key = name.toLowerCase();
    const earlier = headers[key];
    headers[key] = earlier === undefined ? value : [...(Array.isArray(earlier) ? earlier : [earlier]), value];
  }
  return headers;
}

async function readInput(file: string, terminal: Terminal): Promise<Uint8Array> {
  return readFile(path.resolve(terminal.cwd, file)).catch((cause: unknown) => {
    throw new CliError('unusable', `${file} cannot be read.`, { cause });
  });
}
