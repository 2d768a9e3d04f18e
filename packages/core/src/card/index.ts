export { type CardOptions, cardOf, progressOf } from './card.js';
export { listed, outcomeText, waitingFor } from './words.js';
export { requestUrlOf } from './url.js';
