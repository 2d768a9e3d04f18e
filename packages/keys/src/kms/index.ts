export { type MasterKeys, parseMasterKeys } from './master-keys.js';
export { KmsWrapper, type KmsWrapperOptions } from './kms-wrapper.js';
export type { Kms, KmsEnvironment } from './kms.js';
