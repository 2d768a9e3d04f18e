import fc from 'fast-check';

/**
 * Properties try the same values in each run, so that a change is judged by what it changed. COUNTERSIGN_SEED tries others: a number, or
 * `random`; what fails says its seed.
 */
const { COUNTERSIGN_SEED: seed = '20261121' } = process.env;
if (seed !== 'random') fc.configureGlobal({ seed: Number(seed) });
