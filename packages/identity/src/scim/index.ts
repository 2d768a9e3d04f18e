/** SCIM 2.0 (RFC 7643, RFC 7644): users and groups as clients write them, and nothing of HTTP or the database. */
export { discovery, MAX_RESULTS } from './discovery.js';
export { type Filter, matches, parseFilter } from './filter.js';
export { GROUP_FILTERS, groupAttributes, groupResource, patchGroup, readGroup } from './group-resource.js';
export { patchUser } from './patch-user.js';
export { selected } from './selected.js';
export { ERROR, LIST } from './schema-names.js';
export { bad, refusable, ScimError } from './scim-error.js';
export { EXACT, readUser, USER_FILTERS, userAttributes, userResource, versionOf } from './user-resource.js';
