/** How much of a request is shown: characters of one value, parameters, and entries of the other lists. */
export interface Measure {
  value: number;
  values: number;
  entries: number;
}

/**
 * What a card in a chat tries, the fullest first, until the platform takes it. Longer values push the buttons out of sight on a phone, so they
 * are read in the whole, which is opened before such a request is approved.
 */
export const CARD_MEASURES: readonly Measure[] = [
  { value: 2_000, values: 200, entries: 50 },
  { value: 1_200, values: 60, entries: 30 },
  { value: 600, values: 40, entries: 20 },
  { value: 300, values: 30, entries: 15 },
  { value: 150, values: 20, entries: 10 },
  { value: 80, values: 10, entries: 5 },
  { value: 40, values: 5, entries: 3 },
];
