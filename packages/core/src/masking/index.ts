/** Hiding secrets and personal data in what people, logs and other systems are shown. */
export { describeMasks } from './describe-masks.js';
export { DEFAULT_MASK_LIMITS, type MaskClass, type MaskEntry, type MaskLimits, type MaskPath, type MaskPlan, type MaskResult } from './mask-plan.js';
export { maskText, maskValue } from './mask-value.js';
export { isSecretName } from './secret-names.js';
