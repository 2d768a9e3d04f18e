import { type JsonObject, passkeyEvidenceSchema, type Receipt, receiptSchema, type Verdict } from '@countersign/contracts';
import { checkPasskeyEvidence, type EvidenceFault, type SpkiVerify } from '../decision/passkey-evidence.js';
import { CoreError } from '../errors.js';
import { fromBase64, fromBase64url } from '../request/bytes.js';
import { canonicalJson } from '../request/canonical-json.js';
import type { Checkpoint } from './checkpoint.js';
import { openLeaf, verifyLeaf } from './leaf.js';
import type { Ed25519Verify } from './note.js';
import { parseTlogProof, type TlogProofVerdict, verifyTlogProof } from './receipt.js';

/** An entry that was proved, opened. */
export interface ProvedEntry {
  readonly index: number;
  readonly event: string;
  readonly at: string;
  readonly facts: JsonObject;
  readonly details: JsonObject;
}

export type ReceiptVerdict =
  | {
      readonly ok: true;
      readonly checkpoint: Checkpoint;
      readonly entries: readonly ProvedEntry[];
      /** The decisions that a passkey has signed, each proved again, with the page where that was. */
      readonly passkeys: readonly { readonly decision: string; readonly credential_id: string; readonly origin: string }[];
    }
  /**
   * `not_opened`: the record's key and the details are not what an entry commits to. `contradicts`: what the receipt says of the request is
   * not what its entries say. The others are of the entry's proof. `entry` counts from 0; null where it is none's fault.
   */
  | {
      readonly ok: false;
      readonly reason: Exclude<TlogProofVerdict, { ok: true }>['reason'] | 'not_opened' | 'contradicts' | `passkey_${EvidenceFault}`;
      readonly entry: number | null;
    };

/**
 * Whether a receipt is what the log `origin` says of a request, as one of the keys has signed it: every entry is in the log, opens, and
 * speaks of this request; digests, decisions, outcome, redemption and report are those of the entries. Needs nothing but its arguments.
 * That the receipt leaves no later entry out is not to be shown offline: it is of its checkpoint's time.
 * @throws CoreError `ledger_malformed` for a verifier key that is none.
 */
export async function verifyReceipt(
  candidate: unknown,
  trusted: { origin: string; vkeys: string | readonly string[]; verify: Ed25519Verify; verifyPasskey: SpkiVerify },
): Promise<ReceiptVerdict> {
  const receipt = receiptSchema.safeParse(candidate).data;
  if (receipt === undefined) return { ok: false, reason: 'malformed', entry: null };
  const recordKey = fromBase64url(receipt.record_key);
  const entries: ProvedEntry[] = [];
  const passkeys: { decision: string; credential_id: string; origin: string }[] = [];
  let checkpoint: Checkpoint | null = null;
  for (const [at, entry] of receipt.entries.entries()) {
    const refused = (reason: Exclude<ReceiptVerdict, { ok: true }>['reason']): ReceiptVerdict => ({ ok: false, reason, entry: at });
    const read = readEntry(entry.leaf);
    if (read === null) return refused('malformed');
    const { bytes, leaf } = read;
    if (!verifyLeaf(leaf, entry.details, recordKey)) return refused('not_opened');
    const proved = await verifyTlogProof(entry.proof, bytes, trusted);
    if (!proved.ok) return refused(proved.reason);
    const { subject, tenant, event } = leaf;
    const same =
      subject === receipt.action_request &&
      tenant === receipt.tenant &&
      event === entry.event &&
      leaf.at === entry.at &&
      proved.index === entry.index &&
      parseTlogProof(entry.proof).checkpoint === receipt.log.checkpoint;
    if (!same) return refused('contradicts');
    const signed = event === 'decision.recorded' ? await passkeyOf(leaf.facts, entry.details, receipt.request_digest, trusted) : null;
    if (signed !== null && 'fault' in signed) return refused(signed.fault);
    if (signed !== null) passkeys.push(signed);
    checkpoint = proved.checkpoint;
    entries.push({ index: proved.index, event, at: leaf.at, facts: leaf.facts, details: entry.details });
  }
  if (checkpoint === null || !agrees(receipt, entries)) return { ok: false, reason: 'contradicts', entry: null };
  return { ok: true, checkpoint, entries, passkeys };
}

/** The evidence of a decision's entry, checked against that entry's own digests and verdict; null where no passkey was asked for. */
async function passkeyOf(
  facts: JsonObject,
  details: JsonObject,
  request_digest: string,
  trusted: { origin: string; verifyPasskey: SpkiVerify },
): Promise<{ decision: string; credential_id: string; origin: string } | { fault: `passkey_${EvidenceFault}` } | null> {
  if (details['passkey'] === undefined) return null;
  const evidence = passkeyEvidenceSchema.safeParse(details['passkey']).data;
  const [view_digest, verdict, decision] = [details['view_digest'], facts['verdict'], facts['decision']];
  if (evidence === undefined || typeof view_digest !== 'string' || typeof decision !== 'string' || !isVerdict(verdict)) return { fault: 'passkey_malformed' };
  const checked = await checkPasskeyEvidence(evidence, { request_digest, view_digest, verdict }, trusted.verifyPasskey);
  // The log is called after the service's address: a key of another host is not one of its people's.
  if (checked.ok && new URL(checked.origin).hostname !== new URL(`https://${trusted.origin}`).hostname) return { fault: 'passkey_other_origin' };
  return checked.ok ? { decision, credential_id: evidence.credential_id, origin: checked.origin } : { fault: `passkey_${checked.reason}` };
}

const isVerdict = (value: unknown): value is Verdict => value === 'approve' || value === 'deny';

function readEntry(text: string): { bytes: Uint8Array; leaf: ReturnType<typeof openLeaf> } | null {
  try {
    const bytes = fromBase64(text);
    return { bytes, leaf: openLeaf(bytes) };
  } catch (error) {
    if (error instanceof CoreError) return null;
    throw error;
  }
}

/** Whether what the receipt says in its own members is what its entries say. */
function agrees(receipt: Receipt, entries: readonly ProvedEntry[]): boolean {
  const of = (...events: string[]): ProvedEntry[] => entries.filter(({ event }) => events.includes(event));
  const [opened, ...others] = of('action_request.opened');
  const settled = of('outcome.settled', 'outcome.revoked').at(-1);
  const redeemed = of('grant.redeemed').at(-1);
  const reported = of('execution.reported').at(-1);
  const decisions = receipt.outcome?.decisions ?? [];
  return (
    opened !== undefined &&
    others.length === 0 &&
    opened.details['action_digest'] === receipt.action_digest &&
    opened.details['request_digest'] === receipt.request_digest &&
    opened.facts['policy_digest'] === receipt.policy_digest &&
    (settled?.facts['outcome'] ?? null) === (receipt.outcome?.id ?? null) &&
    (settled?.facts['status'] ?? 'pending') === receipt.status &&
    (receipt.outcome === null || (receipt.outcome.status === receipt.status && receipt.outcome.settled_at === settled?.at)) &&
    (redeemed?.at ?? null) === receipt.redeemed_at &&
    (reported?.at ?? null) === (receipt.report?.reported_at ?? null) &&
    (reported?.facts['result'] ?? null) === (receipt.report?.result ?? null) &&
    (reported?.details['result_digest'] ?? null) === (receipt.report?.result_digest ?? null) &&
    (reported?.details['detail'] ?? null) === (receipt.report?.detail ?? null) &&
    decisions.every(({ id, verdict, via, person, reason, decided_at, passkey }) => {
      const recorded = of('decision.recorded').find(({ facts }) => facts['decision'] === id);
      return (
        recorded !== undefined &&
        recorded.at === decided_at &&
        recorded.facts['verdict'] === verdict &&
        recorded.facts['via'] === via &&
        canonicalJson({ person, reason, passkey: passkey ?? null }) ===
          canonicalJson({
            person: recorded.details['person'] ?? null,
            reason: recorded.details['reason'] ?? null,
            passkey: recorded.details['passkey'] ?? null,
          })
      );
    })
  );
}
