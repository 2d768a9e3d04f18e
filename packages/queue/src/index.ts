export { createWakeups, type WakeupsOptions } from './create-wakeups.js';
export { createLocalWakeups } from './local-wakeups.js';
export { combineWakeups } from './combine-wakeups.js';
export {
  cardQueue,
  type WakeupHandler,
  type WakeupLog,
  type WakeupMeter,
  type WakeupQueue,
  type Wakeups,
  type WakeupsHealth,
  type WakeupTopic,
} from './wakeups.js';
export { QueueError, type QueueErrorCode } from './queue-error.js';
export { QUEUE_SCHEMA } from './queue-schema.js';
