/** Tests run on the sources: every package of ours resolves to its `source` export, so no build is needed. */
export default {
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['source', 'node', 'node-addons'] },
  roots: ['<rootDir>/apps', '<rootDir>/packages', '<rootDir>/tests', '<rootDir>/examples'],
  testMatch: ['**/*.test.ts', '**/*.test.tsx'],
  modulePathIgnorePatterns: ['/dist/'],
  extensionsToTreatAsEsm: ['.ts', '.tsx'],
  transform: {
    '^.+\\.tsx?$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript', tsx: true }, transform: { react: { runtime: 'automatic' } } }, module: { type: 'es6' } },
    ],
  },
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    // dev-env stands outside the packages' graph (it builds on packages whose tests use it), so it is found here and nowhere else.
    '^@countersign/dev-env$': '<rootDir>/packages/dev-env/src/index',
    '^@countersign/dev-env/(.*)$': '<rootDir>/packages/dev-env/src/$1',
  },
  globalSetup: '<rootDir>/packages/dev-env/src/jest-global-setup.mjs',
  setupFiles: ['<rootDir>/packages/dev-env/src/jest-fixed-seed.mjs'],
  globalTeardown: '<rootDir>/packages/dev-env/src/jest-global-teardown.mjs',
  // A bound for what hangs, not a measure of speed: the machine may be slow, or do other things besides.
  testTimeout: 120_000,
  // Suites wait for servers more than they compute, so every core takes one.
  maxWorkers: '100%',
  // Modules of suites that are over stay in a worker's memory (ES modules of node:vm are not collected): a large worker is begun anew.
  workerIdleMemoryLimit: '2GB',
};
