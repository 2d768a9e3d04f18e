import type { IdPrefix } from '@countersign/contracts';
import { CoreError } from '../errors.js';
import { hex } from './bytes.js';
import { epochMs, type Instant } from './instants.js';

declare const idBrand: unique symbol;

/** A prefix, an underscore and a UUIDv7 (RFC 9562, section 5.7), lower-case with hyphens. Ids of one prefix sort by their time. */
export type Id<Prefix extends IdPrefix> = `${Prefix}_${string}` & { readonly [idBrand]: Prefix };

export type ActionRequestId = Id<'ar'>;
export type DecisionId = Id<'dec'>;
export type OutcomeId = Id<'out'>;
export type MessageId = Id<'msg'>;
export type EndpointId = Id<'ep'>;
export type GrantId = Id<'gr'>;
export type PersonId = Id<'per'>;
export type ApiKeyId = Id<'key'>;

/**
 * A new id.
 * @param now the time in it: an instant, or milliseconds since 1970
 * @param random ten bytes from a cryptographic source; 74 of their bits are used
 * @throws CoreError `invalid_argument` for another number of bytes, or a time that 48 bits do not hold
 */
export function newId<Prefix extends IdPrefix>(prefix: Prefix, now: Instant | number, random: Uint8Array): Id<Prefix> {
  // The brand is given here and in isId alone.
  return `${prefix}_${newUuid(now, random)}` as Id<Prefix>;
}

/**
 * A UUIDv7 (RFC 9562, section 5.7) without a prefix, for rows that no wire names; arguments and faults as newId's.
 * @param order 0 to 4095: of two ids of one millisecond the one with the smaller order sorts first (section 6.2, method 1)
 */
export function newUuid(now: Instant | number, random: Uint8Array, order?: number): string {
  if (random.length !== 10) throw new CoreError('invalid_argument', 'an id takes ten random bytes');
  const ms = Math.floor(typeof now === 'number' ? now : epochMs(now));
  if (!(ms >= 0 && ms < 2 ** 48)) throw new CoreError('invalid_argument', 'the time of an id is 48 bits of milliseconds since 1970');
  const bytes = new Uint8Array(16);
  for (let index = 0; index < 6; index++) bytes[index] = Math.floor(ms / 2 ** (8 * (5 - index))) % 256;
  bytes.set(random, 6);
  if (order !== undefined) bytes.set([(order >> 8) & 0x0f, order & 0xff], 6);
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f); // version 7
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f); // variant 10
  const digits = hex(bytes);
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`;
}

/** Whether text is an id of this prefix, in its one spelling. */
export function isId<Prefix extends IdPrefix>(prefix: Prefix, text: string): text is Id<Prefix> {
  return text.startsWith(`${prefix}_`) && UUID_V7.test(text.slice(prefix.length + 1));
}

/** The time in an id, in milliseconds since 1970. */
export function idEpochMs(id: Id<IdPrefix>): number {
  const uuid = id.slice(id.indexOf('_') + 1);
  return Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);
}

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
