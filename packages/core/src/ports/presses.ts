/** What chat platforms send, and may send again. */
import type { PlatformName } from './cards.js';

export interface PressGuardStore {
  /**
   * Whether this is the first time, in any process, that the platform sent what it names so (a trigger, an activity, an interaction): what a thief
   * sends again as it was signed is not done twice. Kept for two hours at least: longer than a signature of a platform is taken.
   */
  take(press: { tenant: string; platform: PlatformName; key: string }): Promise<boolean>;
}
