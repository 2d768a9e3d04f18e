import type { JsonObject, JsonValue } from '@countersign/contracts';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { FactResult } from '../kinds.js';
import { awsIam } from './aws.js';
import { gcpIam } from './gcp.js';
import { matchesPattern } from './pattern.js';

function valueOf(result: FactResult): JsonObject {
  if ('error' in result) throw new Error(result.error);
  return result.value;
}

describe('an AWS policy', () => {
  const compute = (document: JsonValue | undefined, managed?: JsonValue): FactResult =>
    awsIam.compute({ document: 'parameters.document', managed: 'parameters.managed' }, (path) => (path === 'parameters.document' ? document : managed));
  const policy = (...statements: JsonObject[]): JsonObject => ({ Version: '2012-10-17', Statement: statements });
  const facts = (...statements: JsonObject[]): JsonObject => valueOf(compute(policy(...statements)));

  test('a narrow one is narrow', () => {
    expect(
      facts({
        Effect: 'Allow',
        Action: ['s3:GetObject', 's3:ListBucket'],
        Resource: 'arn:aws:s3:::reports/*',
        Condition: { Bool: { 'aws:SecureTransport': 'true' } },
      }),
    ).toEqual({
      admin: false,
      escalates: false,
      any_action: false,
      any_resource: false,
      any_principal: false,
      inverted: false,
      conditions: true,
      actions: ['s3:getobject', 's3:listbucket'],
      services: ['s3'],
      service_wildcards: [],
      resources: ['arn:aws:s3:::reports/*'],
      principals: [],
      escalating_actions: [],
      managed: [],
    });
  });

  test('every way to write everything is an administrator', () => {
    for (const Action of ['*', '*:*', '**', ['s3:GetObject', '*'], 'iam:*', 'IAM:*', '?*', '*?'])
      expect([Action, facts({ Effect: 'Allow', Action, Resource: '*' })['admin']]).toEqual([Action, true]);
    expect(facts({ Effect: 'Allow', NotAction: 's3:*', Resource: '*' })).toMatchObject({ admin: true, inverted: true, any_action: true });
    expect(facts({ Effect: 'Allow', Action: '*', NotResource: 'arn:aws:s3:::x' })).toMatchObject({ admin: true, any_resource: true, inverted: true });
    expect(valueOf(compute(undefined, 'arn:aws:iam::aws:policy/AdministratorAccess'))).toMatchObject({
      admin: true,
      escalates: true,
      managed: ['AdministratorAccess'],
    });
    expect(valueOf(compute(undefined, ['arn:aws:iam::aws:policy/ReadOnlyAccess']))).toMatchObject({ admin: false, escalates: false });
    expect(valueOf(compute(JSON.stringify(policy({ Effect: 'Allow', Action: '*', Resource: '*' }))))).toMatchObject({ admin: true });
    expect(valueOf(compute({ Statement: { Effect: 'Allow', Action: '*', Resource: '*' } }))).toMatchObject({ admin: true });
  });

  test('actions that lead to more rights are found under every pattern that covers them', () => {
    for (const Action of ['iam:PassRole', 'iam:Pass*', 'iam:?assRole', 'IAM:passrole', 'i*:PassRole', 'iam:*Role', '*:PassRole', 'iam:P*R*e', '*PassRole'])
      expect([Action, facts({ Effect: 'Allow', Action, Resource: 'arn:aws:iam::1:role/x' })]).toEqual([
        Action,
        expect.objectContaining({ escalates: true, escalating_actions: expect.arrayContaining(['iam:passrole']) }),
      ]);
    expect(facts({ Effect: 'Allow', Action: 'iam:GetRole', Resource: '*' })).toMatchObject({ escalates: false, any_resource: true });
  });

  test('open resources and principals are told, and what is denied makes nothing wider', () => {
    for (const Resource of ['*', '**', 'arn:aws:s3:::*', 'arn:aws:iam::1:role/*', 'arn:aws:lambda:eu-west-1:1:function:*', ['arn:aws:s3:::x', '*']])
      expect([Resource, facts({ Effect: 'Allow', Action: 's3:GetObject', Resource })['any_resource']]).toEqual([Resource, true]);
    for (const Principal of ['*', { AWS: '*' }, { AWS: ['arn:aws:iam::1:root', '*'] }, { AWS: 'arn:aws:iam::*:root' }])
      expect([Principal, facts({ Effect: 'Allow', Principal, Action: 's3:GetObject', Resource: 'arn:aws:s3:::x' })['any_principal']]).toEqual([
        Principal,
        true,
      ]);
    expect(facts({ Effect: 'Allow', NotPrincipal: { AWS: 'arn:aws:iam::1:root' }, Action: 's3:GetObject', Resource: 'x' })).toMatchObject({
      any_principal: true,
      inverted: true,
    });
    expect(facts({ Effect: 'Deny', Action: '*', Resource: '*' }, { Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::x/y' })).toMatchObject({
      admin: false,
      any_action: false,
      any_resource: false,
    });
    expect(facts({ Effect: 'Allow', Action: 's3:*', Resource: 'arn:aws:s3:::x' })).toMatchObject({ service_wildcards: ['s3'] });
  });

  test('a condition that keeps nobody out is none', () => {
    const withCondition = (Condition: JsonObject): unknown =>
      facts({ Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::x/y', Condition })['conditions'];
    for (const condition of [
      {},
      { StringLike: { 'aws:PrincipalArn': '*' } },
      { StringLike: { 'aws:PrincipalArn': ['arn:aws:iam::1:role/x', '*'] } },
      { StringEqualsIfExists: { 'aws:PrincipalOrgID': 'o-1' } },
      { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['a'] } },
      { Null: { 'aws:TokenIssueTime': 'false' } },
      { StringNotEquals: { 'aws:PrincipalOrgID': 'o-1' } },
      { IpAddress: { 'aws:SourceIp': '0.0.0.0/0' } },
    ] as JsonObject[])
      expect([condition, withCondition(condition)]).toEqual([condition, false]);
    for (const condition of [
      { StringEquals: { 'aws:PrincipalOrgID': 'o-1' } },
      { Bool: { 'aws:MultiFactorAuthPresent': 'true' }, StringLike: { a: '*' } },
    ] as JsonObject[])
      expect([condition, withCondition(condition)]).toEqual([condition, true]);
  });

  test('what is not a policy as AWS reads it is an error', () => {
    const allow = { Effect: 'Allow', Action: 's3:GetObject', Resource: '*' };
    for (const document of [
      null,
      5,
      '',
      'x',
      '{}',
      [],
      {},
      { Statement: [] },
      { Statement: 'x' },
      { Statement: [5] },
      policy({ ...allow, Effect: 'allow' }),
      policy({ ...allow, Effects: 'x' }),
      policy({ Effect: 'Allow', Resource: '*' }),
      policy({ ...allow, Action: 5 }),
      policy({ ...allow, Action: [[]] }),
      policy({ ...allow, Resource: { a: 1 } }),
      policy({ ...allow, Principal: 5 }),
      policy({ ...allow, Condition: 'x' }),
      { ...policy(allow), statement: [] },
      '{"Statement":[],"Statement":[{"Effect":"Allow","Action":"s3:x","Resource":"y"}]}',
      '{"__proto__":{}}',
    ])
      expect([document, 'error' in compute(document)]).toEqual([document, true]);
    expect('error' in compute(undefined)).toBe(true);
    expect('error' in compute(undefined, 'a b')).toBe(true);
    expect('error' in compute(policy({ ...allow, Action: Array.from({ length: 6_000 }, () => 's3:x') }))).toBe(true);
  });

  test('a wider pattern never looks narrower', () => {
    const action = fc.constantFrom('iam:PassRole', 's3:GetObject', 'sts:AssumeRole', 'ec2:RunInstances', 'iam:CreateUser');
    fc.assert(
      fc.property(action, fc.nat(), fc.nat(), (name, from, length) => {
        const start = from % name.length;
        const pattern = `${name.slice(0, start)}*${name.slice(start + (length % (name.length - start + 1)))}`;
        expect(matchesPattern(pattern.toLowerCase(), name.toLowerCase())).toBe(true);
        const [narrow, wide] = [facts({ Effect: 'Allow', Action: name, Resource: '*' }), facts({ Effect: 'Allow', Action: pattern, Resource: '*' })];
        for (const member of ['admin', 'escalates', 'any_action'] as const)
          if (narrow[member] === true) expect([pattern, member, wide[member]]).toEqual([pattern, member, true]);
      }),
    );
    expect(matchesPattern('*a'.repeat(500), 'a'.repeat(499))).toBe(false);
  });
});

describe('grants of GCP roles', () => {
  const byPolicy = (policy: JsonValue | undefined): FactResult => gcpIam.compute({ policy: 'parameters.policy' }, () => policy);
  const byRole = (role: JsonValue | undefined, members: JsonValue | undefined): FactResult =>
    gcpIam.compute({ role: 'parameters.role', members: 'parameters.members' }, (path) => (path === 'parameters.role' ? role : members));

  test('roles and members are told apart', () => {
    expect(valueOf(byRole('roles/storage.objectViewer', 'user:Ana@Example.com'))).toEqual({
      roles: ['roles/storage.objectViewer'],
      members: ['user:Ana@Example.com'],
      basic: false,
      admin: false,
      escalates: false,
      custom: false,
      public: false,
      service_accounts: false,
      domains: ['example.com'],
      conditions: false,
    });
    expect(valueOf(byRole('roles/owner', ['allUsers']))).toMatchObject({ basic: true, admin: true, escalates: true, public: true });
    expect(valueOf(byRole(['roles/storage.admin'], ['serviceAccount:x@p.iam.gserviceaccount.com']))).toMatchObject({
      admin: true,
      escalates: true,
      service_accounts: true,
    });
    expect(valueOf(byRole('roles/iam.serviceAccountTokenCreator', 'group:a@b.example'))).toMatchObject({ admin: false, escalates: true });
    expect(valueOf(byRole('projects/p/roles/mine', 'allAuthenticatedUsers'))).toMatchObject({ custom: true, escalates: true, public: true });
    for (const expression of ['true', '(true)', '', ' ', 'true || x', 'x || true'])
      expect(valueOf(byPolicy({ bindings: [{ role: 'roles/viewer', members: ['domain:example.com'], condition: { expression } }] }))).toMatchObject({
        conditions: false,
      });
    expect(valueOf(byPolicy({ bindings: [{ role: 'roles/viewer', members: ['domain:example.com'], condition: { expression: 'x' } }] }))).toMatchObject({
      basic: true,
      domains: ['example.com'],
      conditions: true,
    });
  });

  test('what is not written as GCP writes it is an error', () => {
    for (const [role, members] of [
      ['owner', 'user:a@b.c'],
      ['roles/', 'user:a@b.c'],
      ['roles/owner ', 'user:a@b.c'],
      ['roles/owner', 'a b'],
      ['roles/owner', ''],
      ['roles/owner', []],
      [[], 'user:a@b.c'],
      [5, 'user:a@b.c'],
      [undefined, 'user:a@b.c'],
      ['roles/owner', undefined],
      ['roles/owner', 'a@b.c'],
    ] as const)
      expect([role, members, 'error' in byRole(role as JsonValue | undefined, members as JsonValue | undefined)]).toEqual([role, members, true]);
    for (const policy of [
      undefined,
      null,
      {},
      { bindings: [] },
      { bindings: 5 },
      { bindings: [{ role: 5, members: [] }] },
      '{"bindings":',
      { bindings: [{ role: 'roles/owner' }] },
    ])
      expect([policy, 'error' in byPolicy(policy)]).toEqual([policy, true]);
  });
});
