/**
 * Why a JSON number (RFC 8259 syntax) does not survive as a double; undefined where it does.
 *
 * Refused are:
 * - magnitudes of 2^53 and more, however spelled (`9007199254740992`, `1e20`): neighbouring integers share their double, so another reader
 *   may see another number (RFC 7493, section 2.2). `1e400`, which overflows, is among them.
 * - numbers whose digits say more than the double does: the double's shortest decimal (what RFC 8785 writes) is another value than the text.
 *   `0.1` and `1.50` pass, `0.1000000000000000055` and `1e-400` do not.
 */
export function numberProblem(text: string): string | undefined {
  const number = Number(text);
  if (Math.abs(number) > Number.MAX_SAFE_INTEGER) return `the number ${shorten(text)} is beyond ±(2^53 - 1): send it as a string`;
  const said = decimalOf(text);
  const held = decimalOf(String(number));
  if (said.digits === held.digits && said.exponent === held.exponent) return undefined;
  return `the number ${shorten(text)} loses precision (it would be read as ${String(number)}): round it or send it as a string`;
}

/** A decimal as digits without zeros at either end, times ten to the exponent; zero has no digits. The sign does not matter here. */
function decimalOf(text: string): { digits: string; exponent: number } {
  const [mantissa = '', power = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.');
  const all = whole + fraction;
  let start = 0;
  while (all.charCodeAt(start) === 0x30) start++;
  let end = all.length;
  while (end > start && all.charCodeAt(end - 1) === 0x30) end--;
  const digits = all.slice(start, end);
  // A power of more than 15 digits is no exact number here, but then the double is zero or infinite and the digits differ or the bound has spoken.
  return digits === '' ? { digits, exponent: 0 } : { digits, exponent: Number(power) - fraction.length + (all.length - end) };
}

function shorten(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 40)}…`;
}
