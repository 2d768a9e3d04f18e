import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { receiptSchema } from '@countersign/contracts';
import { parseVerifierKey, type ReceiptVerdict, verifyReceipt } from '@countersign/core/ledger';
import { verifyEd25519, verifySpki } from '@countersign/keys';
import { CliError, EXIT, messageOf } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';

const USAGE = `Usage: countersign verify RECEIPT [--vkey KEY]…
  Checks the receipt of a request, offline: every entry stands in the signed log, opens under the record's key, and says what the
  receipt says; a decision by passkey is proved again from its signature. RECEIPT is a file with the answer of GET /v1/action-requests/{id}/receipt, or - for standard input.
  --vkey KEY   a verifier key of the log that you trust (GET /ledger/{tenant}/keys, best kept from an earlier day); several may
               be given. Without one, the keys in the receipt itself are used, which shows that it is consistent and no more.
  --json       the entries as JSON`;

/** `countersign verify`: what happened to one request, without asking the service. */
export const verify: Command = {
  name: 'verify',
  summary: 'check the receipt of a request, offline',
  usage: USAGE,
  async run(args, terminal) {
    const { values, positionals } = readArguments(args, { vkey: { type: 'string', multiple: true }, json: { type: 'boolean', default: false } }, 1);
    const [file] = positionals;
    if (file === undefined) throw new CliError('usage', 'Give the receipt.');
    const candidate = jsonOf(file === '-' ? await terminal.stdin() : await bytesOf(path.resolve(terminal.cwd, file)), file);
    const receipt = receiptSchema.safeParse(candidate).data;
    const wrong = (why: string): number => {
      terminal.out(values.json ? JSON.stringify({ ok: false, why }) : `WRONG: ${why}`);
      return EXIT.wrong;
    };
    if (receipt === undefined) return wrong('it is not a receipt.');
    const trusted = values.vkey ?? [];
    const vkeys = trusted.length > 0 ? trusted : receipt.log.vkeys;
    const origin = originOf(vkeys);
    const verdict = await verifyReceipt(receipt, { origin, vkeys, verify: verifyEd25519, verifyPasskey: verifySpki });
    if (!verdict.ok) return wrong(`${WORDS[verdict.reason]}${verdict.entry === null ? '' : ` (entry ${verdict.entry} of the receipt)`}`);
    if (values.json) {
      terminal.out(
        JSON.stringify(
          {
            ok: true,
            trusted: trusted.length > 0,
            action_request: receipt.action_request,
            status: receipt.status,
            entries: verdict.entries,
            passkeys: verdict.passkeys,
          },
          null,
          2,
        ),
      );
      return EXIT.fine;
    }
    terminal.out(`OK: ${receipt.action_request} is ${receipt.status}, as ${origin} has signed it at ${verdict.checkpoint.size} entries`);
    for (const entry of verdict.entries) terminal.out(`  #${entry.index}  ${entry.at}  ${entry.event}`);
    for (const { decision, credential_id, origin: page } of verdict.passkeys)
      terminal.out(`  ${decision} was signed by the passkey ${credential_id} on ${page}`);
    if (trusted.length === 0) terminal.out("  The keys are the receipt's own: give --vkey to show that it is the log that you know.");
    return EXIT.fine;
  },
};

const WORDS: Record<Exclude<ReceiptVerdict, { ok: true }>['reason'], string> = {
  malformed: 'it, or a proof in it, is not written as a receipt is.',
  no_known_signature: 'its checkpoint is not signed by a key that is trusted.',
  bad_signature: "its checkpoint's signature does not verify.",
  other_origin: 'it is of another log.',
  not_included: 'an entry is not in the log that was signed.',
  not_opened: "an entry does not open under the record's key: its details were changed.",
  contradicts: 'it says other things of the request than its entries do.',
  passkey_malformed: "a decision's passkey evidence is not what a browser gives.",
  passkey_other_challenge: "a decision's passkey signed another request, view or verdict.",
  passkey_other_origin: "a decision's passkey signed for another site.",
  passkey_cross_origin: "a decision's passkey signed in a frame of another site.",
  passkey_not_verified: "a decision's passkey did not verify its person.",
  passkey_bad_signature: "the signature of a decision's passkey does not verify.",
};

/** The log that the trusted keys are of: a verifier key begins with its name (C2SP signed-note). */
function originOf(vkeys: readonly string[]): string {
  try {
    const [name] = vkeys.map((vkey) => parseVerifierKey(vkey).name);
    if (name !== undefined) return name;
  } catch (cause) {
    throw new CliError('unusable', `That is no verifier key: ${messageOf(cause)}.`, { cause });
  }
  throw new CliError('unusable', 'There is no verifier key; give --vkey.');
}

async function bytesOf(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new CliError('unusable', `${file} cannot be read: ${messageOf(cause)}.`, { cause });
  }
}

function jsonOf(bytes: Uint8Array, file: string): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new CliError('unusable', `${file} is no JSON.`, { cause });
  }
}
