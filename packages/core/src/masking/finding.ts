import type { MaskClass } from './mask-plan.js';

/** A stretch of text that a detector wants hidden. */
export interface Finding {
  readonly start: number;
  readonly end: number;
  readonly class: Exclude<MaskClass, 'field' | 'unscanned'>;
  readonly detector: string;
  /** The value in the one spelling from which its token is made; secrets have none. */
  readonly normal?: string;
}
