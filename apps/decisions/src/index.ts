export { createDecisions, type Decisions, type DecisionsDeps } from './decisions.js';
export { type PacedLoop, pacedLoop } from './paced-loop.js';
export { sequenceLedger } from './sequencer.js';
