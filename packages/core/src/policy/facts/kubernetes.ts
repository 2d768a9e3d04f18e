import type { JsonObject, JsonValue } from '@countersign/contracts';
import { parseAllDocuments, visit, type Document } from 'yaml';
import { z } from 'zod';
import { isObject, listOf, member, objectsIn, textsIn } from './documents.js';
import { computed, inputPath, sorted, Unreadable } from './inputs.js';
import { factKind } from './kinds.js';

const MAX_TEXT = 131_072;
const MAX_OBJECTS = 200;

/** Kinds that hold no namespace, among those that Kubernetes itself has (1.34). */
const CLUSTER_SCOPED = new Set(
  'Namespace Node PersistentVolume ClusterRole ClusterRoleBinding CustomResourceDefinition StorageClass PriorityClass IngressClass RuntimeClass CSIDriver CSINode VolumeAttachment APIService MutatingWebhookConfiguration ValidatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding MutatingAdmissionPolicy MutatingAdmissionPolicyBinding FlowSchema PriorityLevelConfiguration CertificateSigningRequest ClusterTrustBundle'.split(
    ' ',
  ),
);
const WORKLOADS = new Set('Pod Deployment StatefulSet DaemonSet ReplicaSet ReplicationController Job CronJob PodTemplate'.split(' '));
const NAMESPACED = new Set(
  'Service ConfigMap Secret ServiceAccount Role RoleBinding Ingress NetworkPolicy PodDisruptionBudget HorizontalPodAutoscaler PersistentVolumeClaim LimitRange ResourceQuota Endpoints EndpointSlice Lease Event'.split(
    ' ',
  ),
);

/** What Kubernetes manifests ask for: `facts.kubernetes`. */
export const kubernetes = factKind({
  options: z.strictObject({
    /** A manifest, a list of manifests, or their YAML or JSON text. */
    manifests: inputPath,
  }),
  result: {
    members: {
      objects: 'int',
      kinds: { list: 'string' },
      names: { list: 'string' },
      namespaces: { list: 'string' },
      images: { list: 'string' },
      unpinned_images: { list: 'string' },
      privileged: 'bool',
      host_access: 'bool',
      runs_as_root: 'bool',
      cluster_scoped: 'bool',
      grants_rights: 'bool',
      cluster_admin: 'bool',
      secrets: 'bool',
      exposes: 'bool',
      admission: 'bool',
      unknown_kinds: { list: 'string' },
      replicas: { optional: 'int' },
    },
  },
  paths: ({ manifests }) => [manifests],
  compute: ({ manifests }, read) =>
    computed(() => {
      const objects = objectsOf(read(manifests)).flatMap(unwrapped);
      if (objects.length === 0 || objects.length > MAX_OBJECTS) throw new Unreadable(`there are not 1 to ${MAX_OBJECTS} objects in it`);
      return { value: factsOf(objects) };
    }),
});

function objectsOf(value: JsonValue | undefined): JsonObject[] {
  if (value === undefined) throw new Unreadable('the manifest is missing');
  if (typeof value !== 'string') return objectsIn(value, 'a manifest');
  if (value.length > MAX_TEXT) throw new Unreadable(`the manifest is longer than ${MAX_TEXT} characters`);
  const documents = parseAllDocuments(value, { version: '1.2', uniqueKeys: true, strict: true, stringKeys: true });
  if (!Array.isArray(documents)) throw new Unreadable('there is no manifest in it');
  return documents.flatMap((document) => {
    if (document.errors.length > 0 || document.warnings.length > 0 || !isPlain(document)) throw new Unreadable('the manifest is no plain YAML');
    // What YAML without tags gives is JSON.
    const json = document.toJS({ maxAliasCount: 0 }) as JsonValue;
    return json === null ? [] : objectsIn(json, 'a manifest');
  });
}

/** Kubernetes reads YAML 1.1: what the two versions read differently (`yes`, merge keys), and what hides values (anchors, tags), has no place in what is gated. */
function isPlain(document: Document.Parsed): boolean {
  let plain = document.directives.yaml.explicit !== true;
  visit(document, {
    Alias: () => void (plain = false),
    Node: (_, node) => {
      if (node.anchor !== undefined || node.tag !== undefined) plain = false;
    },
    Scalar: (_, node) => {
      if (node.anchor !== undefined || node.tag !== undefined || node.value === '<<') plain = false;
      if (node.type === 'PLAIN' && /^(?:y|n|yes|no|on|off)$/i.test(node.source ?? '')) plain = false;
    },
  });
  return plain;
}

/** A List of objects is its objects. */
function unwrapped(object: JsonObject): JsonObject[] {
  if (!(textAt(object, 'kind') ?? '').endsWith('List') || member(object, 'items') === undefined) return [object];
  return objectsIn(member(object, 'items'), 'an object of a list');
}

function factsOf(objects: readonly JsonObject[]): JsonObject {
  const kinds = objects.map((object) => {
    const kind = textAt(object, 'kind');
    if (kind === undefined || !/^[A-Z][A-Za-z0-9]{0,62}$/.test(kind) || textAt(object, 'apiVersion') === undefined)
      throw new Unreadable('an object has no kind or no version');
    return kind;
  });
  const metadata = objects.map((object) => objectAt(object, 'metadata') ?? {});
  const specs = objects.flatMap((object, index) => (WORKLOADS.has(kinds[index] ?? '') ? podSpecsOf(object) : []));
  const containers = specs.flatMap((spec) =>
    ['containers', 'initContainers', 'ephemeralContainers'].flatMap((list) =>
      objectsIn(member(spec, list), 'a container').map((container) => ({ container, spec })),
    ),
  );
  const images = containers.flatMap(({ container }) => textAt(container, 'image') ?? []);
  const replicas = objects.flatMap((object) => {
    const count = member(objectAt(object, 'spec') ?? {}, 'replicas');
    return typeof count === 'number' && Number.isSafeInteger(count) ? [count] : [];
  });
  const isRbac = (kind: string): boolean => /^(?:Cluster)?Role(?:Binding)?$/.test(kind);
  const unknown = kinds.filter((kind) => !CLUSTER_SCOPED.has(kind) && !WORKLOADS.has(kind) && !NAMESPACED.has(kind));
  return {
    objects: objects.length,
    kinds: sorted(kinds),
    names: sorted(metadata.flatMap((each) => textAt(each, 'name') ?? textAt(each, 'generateName') ?? [])),
    namespaces: sorted([
      ...metadata.flatMap((each) => textAt(each, 'namespace') ?? []),
      ...objects.flatMap((_, index) => (kinds[index] === 'Namespace' ? (textAt(metadata[index] ?? {}, 'name') ?? []) : [])),
      // Without one it is the caller's, which is often `default`.
      ...objects.flatMap((_, index) =>
        textAt(metadata[index] ?? {}, 'namespace') === undefined && !CLUSTER_SCOPED.has(kinds[index] ?? '') ? ['default'] : [],
      ),
    ]),
    images: sorted(images),
    unpinned_images: sorted(images.filter((image) => !/@sha256:[0-9a-f]{64}$/.test(image))),
    privileged: containers.some(({ container }) => isPrivileged(container)) || specs.some((spec) => loosens(objectAt(spec, 'securityContext') ?? {})),
    host_access: specs.some(reachesHost),
    runs_as_root: containers.some(({ container, spec }) => mayRunAsRoot(container, spec)),
    cluster_scoped: kinds.some((kind) => CLUSTER_SCOPED.has(kind)) || unknown.length > 0,
    grants_rights: kinds.some(isRbac),
    cluster_admin: objects.some((object, index) => isRbac(kinds[index] ?? '') && givesEverything(object)),
    secrets: kinds.includes('Secret') || objects.some((object, index) => isRbac(kinds[index] ?? '') && mayReadSecrets(object)),
    exposes: objects.some((object, index) => isExposed(kinds[index] ?? '', object)),
    admission: kinds.some((kind) => /Webhook|Admission|APIService|CustomResourceDefinition/.test(kind)),
    unknown_kinds: sorted(unknown),
    ...(replicas.length === 0 ? {} : { replicas: Math.max(...replicas) }),
  };
}

/** The pod's own spec, or that of the template that a workload makes pods of. */
function podSpecsOf(object: JsonObject): JsonObject[] {
  const spec = objectAt(object, 'spec');
  const holder =
    textAt(object, 'kind') === 'Pod'
      ? object
      : (objectAt(objectAt(objectAt(spec ?? {}, 'jobTemplate') ?? {}, 'spec') ?? spec ?? object, 'template') ?? objectAt(object, 'template'));
  const pod = holder === undefined ? undefined : objectAt(holder, 'spec');
  if (pod === undefined) throw new Unreadable('a workload has no pod in it');
  return [pod];
}

/** More than a container has by itself. */
function isPrivileged(container: JsonObject): boolean {
  const context = objectAt(container, 'securityContext') ?? {};
  const added = textsIn(member(objectAt(context, 'capabilities') ?? {}, 'add'), 'a capability');
  return (
    member(context, 'privileged') === true ||
    member(context, 'allowPrivilegeEscalation') === true ||
    member(context, 'procMount') === 'Unmasked' ||
    isUnconfined(context) ||
    added.some((capability) => !/^(?:CAP_)?NET_BIND_SERVICE$/i.test(capability))
  );
}

/** Without the filters of system calls or files, or as a process of a Windows host. */
function isUnconfined(context: JsonObject): boolean {
  return (
    ['seccompProfile', 'appArmorProfile'].some((profile) => textAt(objectAt(context, profile) ?? {}, 'type') === 'Unconfined') ||
    member(objectAt(context, 'windowsOptions') ?? {}, 'hostProcess') === true
  );
}

/** What a pod says for all of its containers. */
function loosens(context: JsonObject): boolean {
  return isUnconfined(context) || listOf(member(context, 'sysctls')).length > 0;
}

function reachesHost(spec: JsonObject): boolean {
  const volumes = objectsIn(member(spec, 'volumes'), 'a volume');
  const ports = ['containers', 'initContainers']
    .flatMap((list) => objectsIn(member(spec, list), 'a container'))
    .flatMap((container) => objectsIn(member(container, 'ports'), 'a port'));
  return (
    ['hostNetwork', 'hostPID', 'hostIPC'].some((name) => member(spec, name) === true) ||
    volumes.some((volume) => Object.hasOwn(volume, 'hostPath')) ||
    ports.some((port) => Object.hasOwn(port, 'hostPort')) ||
    member(spec, 'nodeName') !== undefined
  );
}

function mayRunAsRoot(container: JsonObject, spec: JsonObject): boolean {
  const [own, pod] = [objectAt(container, 'securityContext') ?? {}, objectAt(spec, 'securityContext') ?? {}];
  const user = member(own, 'runAsUser') ?? member(pod, 'runAsUser');
  return user === 0 || (typeof user !== 'number' && (member(own, 'runAsNonRoot') ?? member(pod, 'runAsNonRoot')) !== true);
}

function givesEverything(object: JsonObject): boolean {
  const role = textAt(objectAt(object, 'roleRef') ?? {}, 'name');
  const subjects = objectsIn(member(object, 'subjects'), 'a subject').map((subject) => textAt(subject, 'name') ?? '');
  const rules = objectsIn(member(object, 'rules'), 'a rule');
  const has = (rule: JsonObject, name: string, wanted: readonly string[]): boolean =>
    textsIn(member(rule, name), 'a part of a rule').some((each) => wanted.includes(each.toLowerCase()));
  return (
    role === 'cluster-admin' ||
    subjects.some((name) => /^system:(?:anonymous|unauthenticated|authenticated|masters)$/.test(name)) ||
    Object.hasOwn(object, 'aggregationRule') ||
    rules.some(
      (rule) =>
        has(rule, 'verbs', ['escalate', 'bind', 'impersonate']) ||
        (has(rule, 'verbs', ['*']) && (has(rule, 'resources', ['*']) || has(rule, 'nonResourceURLs', ['*']))),
    )
  );
}

function mayReadSecrets(object: JsonObject): boolean {
  return objectsIn(member(object, 'rules'), 'a rule').some((rule) =>
    textsIn(member(rule, 'resources'), 'a resource').some((resource) => resource === '*' || /^secrets(?:\/|$)/i.test(resource)),
  );
}

function isExposed(kind: string, object: JsonObject): boolean {
  const spec = objectAt(object, 'spec') ?? {};
  return (
    kind === 'Ingress' ||
    (kind === 'Service' && (['LoadBalancer', 'NodePort'].includes(textAt(spec, 'type') ?? '') || listOf(member(spec, 'externalIPs')).length > 0))
  );
}

function textAt(object: JsonObject, name: string): string | undefined {
  const value = member(object, name);
  return typeof value === 'string' ? value : undefined;
}

function objectAt(object: JsonObject, name: string): JsonObject | undefined {
  const value = member(object, name);
  if (value !== undefined && value !== null && !isObject(value)) throw new Unreadable(`a member of an object is of another type than Kubernetes reads`);
  return value === undefined || value === null ? undefined : value;
}
