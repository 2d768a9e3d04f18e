export {
  type AdministrationRefusal,
  type AgentBody,
  type AgentChangeOutcome,
  changePerson,
  type PersonChange,
  type PersonChangeOutcome,
  saveAgent,
} from './administration.js';
export { directoryAppliers, insertScimToken, refusalText, revokeScimToken, scimTokenPayload } from './appliers.js';
export { applyClaims, createFromClaims, type CreateFromClaimsOutcome } from './claims.js';
export { isReserved, personState } from './entries.js';
export { conflicts, loadDirectory, type LoadOutcome, type LoadProblem, planLoad } from './load.js';
export { agentState, agentSubject, membersDigest } from './record.js';
export { changeScimGroup, createScimGroup, deleteScimGroup, type ScimGroupDraft, type ScimGroupOutcome } from './scim-groups.js';
export {
  addressOf,
  changeScimUser,
  createScimUser,
  deleteScimUser,
  type DirectoryWorld,
  type ScimClient,
  type ScimUserDraft,
  type ScimUserOutcome,
} from './scim-users.js';
