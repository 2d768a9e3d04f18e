/*
 * One mailbox has many spellings. Where two of them may be one human they are taken to be: that refuses somebody a decision at worst,
 * where the other error would let somebody approve what is their own.
 */

/** As ids and addresses are compared where each stands for itself: Unicode NFKC, without case and outer white space. */
export function foldRef(text: string): string {
  return text.normalize('NFKC').trim().toLowerCase();
}

/** Domains whose mail ignores dots in the local part, and the name under which they are one. */
const DOTLESS = new Map([
  ['gmail.com', 'gmail.com'],
  ['googlemail.com', 'gmail.com'],
]);

/** The mailbox that an address reaches: folded, without a plus-tag (RFC 5233), and without dots where the domain ignores them. Other text: folded. */
export function mailboxOf(address: string): string {
  const folded = foldRef(address);
  const at = folded.lastIndexOf('@');
  if (at <= 0) return folded;
  const domain = folded.slice(at + 1).replace(/\.$/, '');
  const local = withoutTag(folded.slice(0, at));
  const dotless = DOTLESS.get(domain);
  return dotless === undefined ? `${local}@${domain}` : `${local.replaceAll('.', '')}@${dotless}`;
}

/** Whether two texts may name one human: the same mailbox, dots in the local part ignored at any domain. */
export function mayBeOne(a: string, b: string): boolean {
  return loose(a) === loose(b);
}

function loose(address: string): string {
  const mailbox = mailboxOf(address);
  const at = mailbox.lastIndexOf('@');
  return at <= 0 ? mailbox : mailbox.slice(0, at).replaceAll('.', '') + mailbox.slice(at);
}

/** A tag needs something before it: `+a@b` is itself. */
function withoutTag(local: string): string {
  const plus = local.indexOf('+');
  return plus <= 0 ? local : local.slice(0, plus);
}
