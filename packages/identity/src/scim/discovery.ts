import type { JsonObject } from '@countersign/contracts';
import { ENTERPRISE, GROUP, USER } from './schema-names.js';

/** Most resources of one page. */
export const MAX_RESULTS = 1_000;

/** The documents by which a client finds out what is here (RFC 7644, section 4). */
export function discovery(base: string): { config: JsonObject; resourceTypes: JsonObject[]; schemas: JsonObject[] } {
  return {
    config: {
      schemas: ['urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig'],
      patch: { supported: true },
      bulk: { supported: false, maxOperations: 0, maxPayloadSize: 0 },
      filter: { supported: true, maxResults: MAX_RESULTS },
      changePassword: { supported: false },
      sort: { supported: false },
      etag: { supported: true },
      authenticationSchemes: [
        {
          type: 'oauthbearertoken',
          name: 'Bearer token',
          description: 'A SCIM token, made by an administrator.',
          specUri: 'https://www.rfc-editor.org/info/rfc6750',
          primary: true,
        },
      ],
      meta: { resourceType: 'ServiceProviderConfig', location: `${base}/ServiceProviderConfig` },
    },
    resourceTypes: [resourceType(base, 'User', '/Users', USER, [{ schema: ENTERPRISE, required: false }]), resourceType(base, 'Group', '/Groups', GROUP, [])],
    schemas: [
      schema(base, USER, 'User', [
        text('userName', { required: true, uniqueness: 'server' }),
        text('externalId', { caseExact: true }),
        complex('name', false, [text('formatted'), text('givenName'), text('familyName')]),
        text('displayName'),
        text('title'),
        text('userType'),
        truth('active'),
        complex('emails', true, [text('value'), text('type'), truth('primary')]),
        {
          ...complex('groups', true, [text('value', READ), text('display', READ), { ...text('$ref', READ), type: 'reference', referenceTypes: ['Group'] }]),
          ...READ,
        },
      ]),
      schema(base, GROUP, 'Group', [
        text('displayName', { required: true }),
        text('externalId', { caseExact: true }),
        complex('members', true, [text('value', FIXED), { ...text('$ref', FIXED), type: 'reference', referenceTypes: ['User'] }, text('type', FIXED)]),
      ]),
      schema(base, ENTERPRISE, 'EnterpriseUser', [text('department')]),
    ],
  };
}

const READ = { mutability: 'readOnly' };
const FIXED = { mutability: 'immutable' };

function resourceType(base: string, name: string, endpoint: string, of: string, schemaExtensions: JsonObject[]): JsonObject {
  return {
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:ResourceType'],
    id: name,
    name,
    endpoint,
    schema: of,
    schemaExtensions,
    meta: { resourceType: 'ResourceType', location: `${base}/ResourceTypes/${name}` },
  };
}

function schema(base: string, id: string, name: string, attributes: JsonObject[]): JsonObject {
  return {
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:Schema'],
    id,
    name,
    description: name,
    attributes,
    meta: { resourceType: 'Schema', location: `${base}/Schemas/${id}` },
  };
}

function text(name: string, members: JsonObject = {}): JsonObject {
  return { name, type: 'string', ...common, ...members };
}

function truth(name: string): JsonObject {
  return { name, type: 'boolean', ...common };
}

function complex(name: string, multiValued: boolean, subAttributes: JsonObject[]): JsonObject {
  return { name, type: 'complex', ...common, multiValued, subAttributes };
}

const common: JsonObject = {
  multiValued: false,
  description: '',
  required: false,
  caseExact: false,
  mutability: 'readWrite',
  returned: 'default',
  uniqueness: 'none',
};
