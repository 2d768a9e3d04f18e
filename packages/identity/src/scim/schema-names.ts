export const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
export const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
export const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
export const LIST = 'urn:ietf:params:scim:api:messages:2.0:ListResponse';
export const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
export const ERROR = 'urn:ietf:params:scim:api:messages:2.0:Error';

/** Attributes of the standard's schemas that clients send and Countersign does not keep: they are taken and forgotten. */
export const FORGOTTEN: ReadonlySet<string> = new Set(
  [
    ...['nickName', 'profileUrl', 'preferredLanguage', 'locale', 'timezone', 'password', 'phoneNumbers', 'ims', 'photos', 'addresses', 'entitlements'],
    ...['roles', 'x509Certificates', 'honorificPrefix', 'honorificSuffix', 'middleName'],
    ...['employeeNumber', 'costCenter', 'organization', 'division', 'manager'],
  ].map((name) => name.toLowerCase()),
);
