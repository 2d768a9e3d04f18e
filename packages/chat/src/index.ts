export { type AccountLinks, type AccountLinksWorld, createAccountLinks } from './account-links.js';
export { type LinkMode, personOf } from './account.js';
export { isAskedOf } from './audience.js';
export { count, cut, decisionText, oneLine, stageText, time, titleOf, wholeText } from './card-words.js';
export { type CardWorkerDeps, createCardWorker } from './card-worker.js';
export { type ChatCommand, type CommandAnswer, type CommandDeps, createOnce, handleCommand, readCommand } from './commands.js';
export { PlatformError, type PlatformErrorCode } from './errors.js';
export type { AccountFacts, ChatPlatform } from './platform.js';
export { FAULT_TEXT, handlePress, noteOpened, type Press, type PressAnswer, type PressDeps, STEP_UP_BUTTON, STEP_UP_TEXT } from './press.js';
