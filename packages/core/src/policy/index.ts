/** Policy: bundles are compiled once, and say of each request whether it may pass, may not, or needs people. */
export type * from './types.js';
export { compileBundle, compileCanonical } from './compile.js';
export { factKinds, loadFactParsers } from './facts/index.js';
export { mergeRequirements } from './merge-requirements.js';
export type { DigestPlan, DigestSlot, QuietHours } from './compile-notices.js';
export { onCall, type OnDuty, type Schedule } from './schedules.js';
export { nearestName } from './nearest-name.js';
export { isApprover, isNamed, mayVeto, namedGroups } from './quorum.js';
export {
  runPolicyTests,
  type ConditionCoverage,
  type CoverageDemand,
  type PolicyCoverage,
  type PolicyTestReport,
  type PolicyTestResult,
  type RuleCoverage,
} from './tools/run-tests.js';
export { bundleJsonSchema } from './tools/json-schema.js';
export { unmetStages, type Member, type Unmet } from './tools/satisfiable.js';
export { inputOf } from './tools/run-tests.js';
export { analyze, type Analysis } from './tools/analyze/analyze.js';
export { onlyTightens, type Transition, Transitions } from './tools/compare.js';
export { type Decided, type Fatigue, fatigueOf, type Suggestion, suggestionsOf } from './tools/suggest.js';
