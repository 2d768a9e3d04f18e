/** The `countersign` command, for whoever wants to run it inside another process. */
export { run } from './run.js';
export { processTerminal, type Terminal } from './terminal.js';
