import type { JsonObject, JsonValue } from '@countersign/contracts';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { factKinds } from './index.js';
import type { FactResult } from './kinds.js';
import { kubernetes } from './kubernetes.js';
import { path } from './path.js';
import { terraform } from './terraform.js';

function valueOf(result: FactResult): JsonObject {
  if ('error' in result) throw new Error(result.error);
  return result.value;
}

describe('file paths', () => {
  const compute = (from: JsonValue | undefined, root?: string): FactResult =>
    path.compute({ from: 'parameters.path', ...(root === undefined ? {} : { root }) }, () => from);
  const facts = (from: JsonValue, root?: string): JsonObject => valueOf(compute(from, root));

  test('are normalised, and told by where they lead', () => {
    expect(facts(['src//a/./b.TS', 'src/c/../d.md'])).toEqual({
      paths: ['src/a/b.TS', 'src/d.md'],
      absolute: false,
      traversal: true,
      inside: false,
      system: false,
      sensitive: false,
      hidden: false,
      names: ['b.TS', 'd.md'],
      extensions: ['.md', '.ts'],
    });
    expect(facts('x/y', '/srv/app')).toMatchObject({ paths: ['/srv/app/x/y'], inside: true });
    for (const outside of ['../x', '/etc/passwd', '/srv/application/x', 'x/../../y', '/srv/app', '.', '/srv/app/../x', '//etc/passwd'])
      expect([outside, facts(outside, '/srv/app/')['inside']]).toEqual([outside, false]);
    for (const system of [
      '/etc/passwd',
      '/usr/../etc/x',
      '//etc/passwd',
      '/',
      '/./etc',
      '/ETC/passwd',
      '/proc/self/environ',
      '/dev/sda',
      '/root/x',
      '/var/lib/x',
      '../../etc/passwd',
      'a/../../etc',
    ])
      expect([system, facts(system)['system']]).toEqual([system, true]);
    for (const fine of ['/srv/x', '/home/a/etc/x', 'etc/x', '/var/www/x', '/tmp/x']) expect([fine, facts(fine)['system']]).toEqual([fine, false]);
    for (const sensitive of [
      '/home/a/.ssh/id_rsa',
      '.env',
      'a/.env.local',
      '.git/hooks/x',
      '.github/workflows/x.yml',
      '/home/a/.SSH/config',
      'x/.aws/credentials',
      '.npmrc',
    ])
      expect([sensitive, facts(sensitive)]).toEqual([sensitive, expect.objectContaining({ sensitive: true, hidden: true })]);
  });

  test('what some programs read as another path is an error', () => {
    for (const text of [
      '',
      'a\\b',
      '..\\x',
      'a\u0000b',
      'a\nb',
      '~/x',
      '~root/x',
      'file:///etc/passwd',
      'c:/x',
      '%2e%2e/x',
      'a%2fb',
      '．．/x',
      'a／b',
      '$HOME/x',
      '${x}',
      '.../x',
      'a /b',
      ' a',
      'a.',
      'a./b',
      '\ud800',
      null,
      5,
      [],
      [''],
      {},
      undefined,
      'x'.repeat(5_000),
    ])
      expect([text, 'error' in compute(text)]).toEqual([text, true]);
  });

  test('inside means inside, whatever the parts', () => {
    const part = fc.constantFrom('..', '.', '', 'a', 'b', 'app', 'srv', 'etc');
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 8 }), fc.boolean(), (parts, absolute) => {
        const text = (absolute ? '/' : '') + parts.join('/');
        if (text === '') return;
        const { inside, system } = facts(text, '/srv/app');
        const resolved = new URL(text.replace(/^\/+/, '/'), 'file:///srv/app/').pathname.replaceAll(/\/{2,}/g, '/').replace(/\/$/, '');
        if (!text.includes('//')) expect([text, inside]).toEqual([text, resolved.startsWith('/srv/app/')]);
        if (resolved.startsWith('/etc')) expect([text, system]).toEqual([text, true]);
      }),
    );
  });
});

describe('a Terraform plan', () => {
  const compute = (plan: JsonValue | undefined): FactResult => terraform.compute({ plan: 'parameters.plan' }, () => plan);
  const change = (address: string, type: string, ...actions: string[]): JsonObject => ({
    address,
    type,
    provider_name: 'registry.terraform.io/hashicorp/aws',
    change: { actions },
  });
  const plan = (...resource_changes: JsonObject[]): JsonObject => ({ format_version: '1.2', resource_changes });

  test('counts what it makes, changes and destroys', () => {
    const mixed = plan(
      change('a.x', 'a', 'create'),
      change('b.x', 'b', 'update'),
      change('c.x', 'c', 'delete'),
      change('d.x', 'd', 'delete', 'create'),
      change('d.y', 'd', 'create', 'delete'),
      change('e.x', 'e', 'no-op'),
      change('f.x', 'f', 'read'),
      change('g.x', 'g', 'forget'),
    );
    const expected = {
      create: 1,
      update: 1,
      delete: 1,
      replace: 2,
      forget: 1,
      changes: 6,
      destroys: true,
      types: ['a', 'b', 'c', 'd', 'g'],
      destroyed_types: ['c', 'd'],
      destroyed: ['c.x', 'd.x', 'd.y'],
      incomplete: false,
      drift: false,
      outputs_changed: false,
    };
    expect(valueOf(compute(mixed))).toMatchObject(expected);
    expect(valueOf(compute(JSON.stringify(mixed)))).toMatchObject(expected);
    expect(valueOf(compute(plan()))).toMatchObject({ changes: 0, destroys: false });
    expect(valueOf(compute({ ...plan(), complete: false, resource_drift: [{}], output_changes: { o: { actions: ['update'] } } }))).toMatchObject({
      incomplete: true,
      drift: true,
      outputs_changed: true,
    });
    expect(valueOf(compute({ ...plan(), errored: true, output_changes: { o: { actions: ['no-op'] } } }))).toMatchObject({
      incomplete: true,
      outputs_changed: false,
    });
  });

  test('what is not a plan that is known is an error', () => {
    for (const value of [
      undefined,
      null,
      '',
      'x',
      5,
      [],
      {},
      { format_version: '2.0', resource_changes: [] },
      { format_version: 1, resource_changes: [] },
      plan(change('a', 'b', 'destroy')),
      plan(change('a', 'b')),
      plan(change('a', 'b', 'create', 'update')),
      plan({ address: 'a' }),
      plan({ address: 'a', type: 'b', change: null }),
      { ...plan(), resource_changes: [5] },
      '{"format_version":"1.2","resource_changes":[],"resource_changes":[]}',
      plan(...Array.from({ length: 5_001 }, () => change('a', 'b', 'no-op'))),
      plan(...Array.from({ length: 1_001 }, (_, index) => change(`a${index}`, 'b', 'create'))),
    ])
      expect('error' in compute(value)).toBe(true);
  });
});

describe('Kubernetes manifests', () => {
  const compute = (manifests: JsonValue | undefined): FactResult => kubernetes.compute({ manifests: 'parameters.manifests' }, () => manifests);
  const facts = (manifests: JsonValue): JsonObject => valueOf(compute(manifests));
  const pod = (spec: JsonObject, container: JsonObject = {}): JsonObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'shop' },
    spec: { ...spec, containers: [{ name: 'c', image: 'x:1', ...container }] },
  });
  const safe = { securityContext: { runAsNonRoot: true } };

  test('say what they are and where they go', () => {
    const digest = `x@sha256:${'a'.repeat(64)}`;
    expect(facts(pod(safe, { image: digest }))).toEqual({
      objects: 1,
      kinds: ['Pod'],
      names: ['p'],
      namespaces: ['shop'],
      images: [digest],
      unpinned_images: [],
      privileged: false,
      host_access: false,
      runs_as_root: false,
      cluster_scoped: false,
      grants_rights: false,
      cluster_admin: false,
      secrets: false,
      exposes: false,
      admission: false,
      unknown_kinds: [],
    });
    expect(
      facts(
        'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  replicas: 3\n  template: {spec: {containers: [{image: "nginx:latest"}]}}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: front}\nspec: {type: LoadBalancer}\n',
      ),
    ).toMatchObject({
      objects: 2,
      kinds: ['Deployment', 'Service'],
      namespaces: ['default', 'front'],
      images: ['nginx:latest'],
      unpinned_images: ['nginx:latest'],
      replicas: 3,
      exposes: true,
      runs_as_root: true,
    });
    expect(facts({ apiVersion: 'v1', kind: 'List', items: [pod(safe), { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'z' } }] })).toMatchObject({
      objects: 2,
      cluster_scoped: true,
      namespaces: ['shop', 'z'],
    });
    expect(
      facts({
        apiVersion: 'batch/v1',
        kind: 'CronJob',
        metadata: {},
        spec: { jobTemplate: { spec: { template: pod(safe, { securityContext: { privileged: true } }) } } },
      }),
    ).toMatchObject({ privileged: true });
    expect(facts({ apiVersion: 'x.example/v1', kind: 'Thing', metadata: { name: 'x' } })).toMatchObject({ unknown_kinds: ['Thing'], cluster_scoped: true });
  });

  test('what reaches out of its box is seen', () => {
    for (const [container, member] of [
      [{ securityContext: { privileged: true, runAsNonRoot: true } }, 'privileged'],
      [{ securityContext: { allowPrivilegeEscalation: true } }, 'privileged'],
      [{ securityContext: { capabilities: { add: ['SYS_ADMIN'] } } }, 'privileged'],
      [{ securityContext: { seccompProfile: { type: 'Unconfined' } } }, 'privileged'],
      [{ securityContext: { windowsOptions: { hostProcess: true } } }, 'privileged'],
      [{ ports: [{ hostPort: 80 }] }, 'host_access'],
      [{ securityContext: { runAsUser: 0, runAsNonRoot: true } }, 'runs_as_root'],
      [{}, 'runs_as_root'],
    ] as const)
      expect([container, facts(pod({}, container as JsonObject))[member]]).toEqual([container, true]);
    expect(facts(pod({ securityContext: { sysctls: [{ name: 'kernel.x', value: '1' }] } }))['privileged']).toBe(true);
    for (const spec of [{ hostNetwork: true }, { hostPID: true }, { hostIPC: true }, { volumes: [{ name: 'v', hostPath: { path: '/' } }] }, { nodeName: 'n' }])
      expect([spec, facts(pod(spec as JsonObject))['host_access']]).toEqual([spec, true]);
    expect(
      facts({ ...pod({}), spec: { containers: [{ image: 'a@sha256:1' }], initContainers: [{ image: 'b', securityContext: { privileged: true } }] } }),
    ).toMatchObject({ privileged: true, images: ['a@sha256:1', 'b'], unpinned_images: ['a@sha256:1', 'b'] });
  });

  test('rights that are given are seen', () => {
    const role = (rule: JsonObject, kind = 'Role'): JsonObject => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind,
      metadata: { name: 'r', namespace: 'n' },
      rules: [rule],
    });
    const binding = (name: string, subject = 'ana'): JsonObject => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'b' },
      roleRef: { name },
      subjects: [{ name: subject }],
    });
    expect(facts(role({ verbs: ['get'], resources: ['pods'] }))).toMatchObject({ grants_rights: true, cluster_admin: false, secrets: false });
    expect(facts(role({ verbs: ['get'], resources: ['secrets'] }))).toMatchObject({ secrets: true });
    expect(facts(role({ verbs: ['*'], resources: ['*'] }))).toMatchObject({ cluster_admin: true, secrets: true });
    for (const verb of ['escalate', 'bind', 'impersonate']) expect(facts(role({ verbs: [verb], resources: ['x'] }))).toMatchObject({ cluster_admin: true });
    expect(facts(binding('cluster-admin'))).toMatchObject({ cluster_admin: true, cluster_scoped: true });
    expect(facts(binding('view'))).toMatchObject({ cluster_admin: false });
    expect(facts(binding('view', 'system:anonymous'))).toMatchObject({ cluster_admin: true });
  });

  test('what cannot be read as Kubernetes does is an error', () => {
    for (const value of [
      undefined,
      null,
      5,
      '',
      '---',
      'x',
      [],
      {},
      [5],
      { kind: 'Pod' },
      { apiVersion: 'v1' },
      { apiVersion: 'v1', kind: 'pod' },
      { apiVersion: 'v1', kind: 'Pod', metadata: {} },
      { apiVersion: 'v1', kind: 'Pod', spec: 5 },
      pod({ containers: 5 }, {}) && { apiVersion: 'v1', kind: 'Pod', spec: { containers: 'x' } },
      'kind: Pod\nkind: Service\napiVersion: v1',
      'a: &x 1\nb: *x',
      'apiVersion: v1\nkind: Service\nmetadata: !!binary x',
      'apiVersion: v1\nkind: Service\n\tx: 1',
      'apiVersion: v1\nkind: Pod\nspec: {hostNetwork: yes, containers: []}',
      'apiVersion: v1\nkind: Service\n<<: {spec: {type: NodePort}}',
      '%YAML 1.1\n---\napiVersion: v1\nkind: Service',
      `${'- '.repeat(5_000)}x`,
      Array.from({ length: 201 }, () => ({ apiVersion: 'v1', kind: 'Service' })),
    ])
      expect([value, 'error' in compute(value)]).toEqual([value, true]);
  });
});

describe('every kind of facts', () => {
  const optionsOf: Record<string, object> = {
    aws_iam: { document: 'parameters.a' },
    firewall: { sources: 'parameters.a', ports: 'parameters.b', protocol: 'parameters.b' },
    gcp_iam: { role: 'parameters.a', members: 'parameters.b' },
    http: { url: 'parameters.a', method: 'parameters.b', headers: 'parameters.b' },
    kubernetes: { manifests: 'parameters.a' },
    path: { from: 'parameters.a', root: '/x' },
    shell: { argv: 'parameters.a' },
    sql: { from: 'parameters.a', dialect: 'postgresql' },
    terraform: { plan: 'parameters.a' },
    url: { from: 'parameters.a' },
  };

  test('has options here', () => {
    expect(Object.keys(optionsOf).sort()).toEqual(Object.keys(factKinds).sort());
  });

  test.each(Object.keys(optionsOf))('%s never throws, whatever JSON stands at its paths', (name) => {
    const kind = factKinds[name];
    const options = optionsOf[name];
    if (kind === undefined || options === undefined) throw new Error(name);
    fc.assert(
      // Any JSON is a value of a request.
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const result = kind.compute(options, (path) => (path === 'parameters.a' ? a : b) as JsonValue);
        expect('error' in result ? result.error : 'x').toMatch(/^[^.]+$|JSON|\.$/);
      }),
    );
    for (const members of [
      { __proto__: null, constructor: 1 },
      { toString: 1 },
      { hasOwnProperty: 1 },
      JSON.parse('{"__proto__":{"kind":"Pod"}}') as JsonValue,
    ])
      kind.compute(options, () => members);
  });

  test.each(Object.keys(optionsOf))('%s names its paths, and reads what runs alone', (name) => {
    const kind = factKinds[name];
    if (kind === undefined) throw new Error(name);
    const options = optionsOf[name] ?? {};
    const read = new Set<string>();
    kind.compute(options, (path) => {
      read.add(path);
      return undefined;
    });
    for (const path of read) expect(kind.paths(options)).toContain(path);
    const elsewhere = Object.fromEntries(
      Object.entries(options).map(([member, value]) => [member, typeof value === 'string' ? value.replace('parameters.', 'context.') : value]),
    );
    expect(kind.options.safeParse(elsewhere).success).toBe(false);
    expect(kind.options.safeParse({ ...options, other: 1 }).success).toBe(false);
  });
});
