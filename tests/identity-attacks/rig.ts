import { randomUUID } from 'node:crypto';
import { createAccountLinks, handlePress } from '@countersign/chat';
import { decide, insertScimToken, leafMaker, loadDirectory, type LoadOutcome, open } from '@countersign/core/flow';
import { compileBundle } from '@countersign/core/policy';
import type { PostedCard } from '@countersign/core/ports';
import { digestOf } from '@countersign/core/request';
import { makeApiKey, makePersonalToken, ANY_RIGHTS, makeScimToken, readDirectory, snapshotOf } from '@countersign/identity';
import { type ApiWorld, createApiWorld, EXPORT, type Reply } from '@countersign/intake/testing';

const TENANT = 'default';

export type Channel = 'api' | 'slack';
export const CHANNELS: readonly Channel[] = ['api', 'slack'];

/** What came of a press: `decided`, or the refusal's code with its words. */
export interface Pressed {
  code: string;
  text: string;
}

/** The product's API with a directory that tests change, and presses from the API and from Slack by the same person. */
export interface AttackRig {
  api: ApiWorld;
  /** Puts a directory's file in force. People get a Slack account `U` and their name, in the team T1. */
  directory(text: string): Promise<LoadOutcome>;
  id(email: string): Promise<string>;
  /** Puts another policy in force, made from the rig's own. */
  policy(change: (text: string) => string): Promise<void>;
  /** A request that waits for the group `approvers`, as the agent `agent` unless told otherwise. */
  ask(members?: object, key?: string): Promise<{ id: string; request_digest: string }>;
  /** The same, by a workload whose token names who started the run. */
  askByRunOf(human: string): Promise<{ id: string; request_digest: string }>;
  /** A key of the person's. */
  keyOf(email: string): Promise<string>;
  press(channel: Channel, email: string, request: { id: string; request_digest: string }, verdict?: 'approve' | 'deny'): Promise<Pressed>;
  status(request: { id: string }): Promise<string>;
  scim(method: string, path: string, body?: object): Promise<Reply>;
  scimUser(email: string, members?: object): Promise<string>;
  close(): Promise<void>;
}

/** One approval of `approvers`, from anywhere; two of `pairs` where a pair is asked for. */
const POLICY = `apiVersion: countersign.dev/v1
kind: PolicyBundle
metadata: { name: attacks, version: 1 }
defaults:
  outcome: allow
  undeclared: allow
  via: [slack, teams, web, email, api]
  require: { stages: [{ all: [{ group: approvers, quorum: 1 }] }] }
groups: { approvers: {}, pairs: {} }
rules:
  - id: any
    effect: require
    actions: [data.*, iam.*]
    require: { stages: [{ all: [{ group: approvers, quorum: 1 }] }] }
  - id: pair
    effect: require
    actions: [pair.act]
    require: { stages: [{ all: [{ group: pairs, quorum: 2 }] }] }
`;

export async function createAttackRig(): Promise<AttackRig> {
  const api = await createApiWorld({ policy: () => POLICY });
  const { store, flow } = api;
  const made = makeScimToken(flow, { tenant: TENANT, name: 'IdP', created_by: 'test' });
  await insertScimToken({ ...flow, scim: store.scim }, made.record);
  const links = createAccountLinks({ ...flow, tenant: TENANT, links: store.chatLinks, cooldownSeconds: 0 });

  const id = async (email: string): Promise<string> => {
    const found = (await store.directory.people(TENANT, [email])).find((person) => person.email.toLowerCase() === email.toLowerCase());
    if (found === undefined) throw new Error(`nobody is ${email}`);
    return found.id;
  };
  const tokens = new Map<string, string>();
  const tokenOf = async (personId: string): Promise<string> => {
    const known = tokens.get(personId);
    if (known !== undefined) return known;
    const token = makePersonalToken(flow, {
      tenant: TENANT,
      person_id: personId,
      name: 'test',
      scopes: ['read', 'decide'],
      life_seconds: 3600,
      stepped_up_at: flow.clock.now(),
    });
    await store.credentials.insertPersonalToken(token.record);
    tokens.set(personId, token.token);
    return token.token;
  };
  const scim: AttackRig['scim'] = (method, path, body) =>
    api.call(method, `/scim/v2${path}`, {
      as: made.token,
      ...(body === undefined ? {} : { raw: JSON.stringify(body), headers: { 'content-type': 'application/scim+json' } }),
    });

  return {
    api,
    id,
    scim,
    async directory(text) {
      const read = readDirectory('directory.yaml', text);
      if (!read.ok) throw new Error(JSON.stringify(read.problems));
      // Whoever the last file deactivated has lost what they had.
      tokens.clear();
      const snapshot = snapshotOf(TENANT, read.directory, await store.directory.list(TENANT));
      for (const person of snapshot.people) if (person.accounts.length === 0) person.accounts.push(accountOf(person.email));
      return loadDirectory({ ...flow, directory: store.directory }, TENANT, snapshot, 'directory.yaml');
    },
    async policy(change) {
      const compiled = compileBundle([{ path: 'policy.yaml', text: change(POLICY) }]);
      if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
      const { digest, canonical } = compiled.bundle;
      const leaf = leafMaker(flow, { tenant: TENANT, subject: digest, recordKey: flow.entropy.bytes(32) });
      await store.policies.activate({
        tenant: TENANT,
        digest,
        canonical,
        by: 'test',
        leaf: leaf('policy.activated', flow.clock.now(), { policy_digest: digest }, {}),
      });
    },
    async ask(members = {}, key = api.key) {
      const reply = await api.submit({ actor: { type: 'agent', id: 'agent' }, ...members }, { as: key });
      if (reply.status !== 201 || reply.json.status !== 'pending') throw new Error(`not pending: ${reply.text}`);
      return reply.json;
    },
    async askByRunOf(human) {
      const submission = { ...EXPORT, actor: { type: 'pipeline', id: 'ci' } };
      const { id: key_id, name, owner, rights } = (await api.call('GET', '/v1/me', { as: api.key })).json;
      const authenticated = { issuer: 'https://ci.example.com', method: 'workload_token' as const, at: flow.clock.now() };
      const caller = { tenant: TENANT, key_id, name, owner, rights, human, authenticated };
      const opened = await open(flow, { caller, submission, idempotency_key: randomUUID(), fingerprint: digestOf({ submission, human }) });
      if (opened.kind !== 'opened') throw new Error(JSON.stringify(opened));
      return opened.answer;
    },
    async keyOf(email) {
      const key = await makeApiKey(flow, { tenant: TENANT, name: `key of ${email}`, owner: await id(email), rights: ANY_RIGHTS });
      await store.credentials.insertApiKey(key.record);
      return key.key;
    },
    async press(channel, email, request, verdict = 'approve') {
      const personId = await id(email);
      if (channel === 'api') {
        const reply = await api.decide(await tokenOf(personId), request, verdict);
        return reply.status === 201 ? { code: 'decided', text: '' } : { code: reply.json.code, text: reply.json.detail };
      }
      const { user } = accountOf(email);
      // The card that the press is on: which messages are ours is the bots' own suite's to test.
      const posted = { tenant: TENANT, request_id: request.id } as PostedCard;
      const answer = await handlePress(
        {
          ...{ tenant: TENANT, platform: 'slack', linkMode: 'proof', directory: store.directory, links, requests: store.requests },
          cards: { postedByRef: () => Promise.resolve(posted) },
          decide: (input) => decide(flow, input),
          card: { publicUrl: api.url, notice: null },
        },
        {
          ...{ ref: {}, request_id: request.id, request_digest: request.request_digest, verdict, reason: null, at: flow.clock.now() },
          account: { workspace: 'T1', user, email: null, bot: false, external: false, guest: false, active: true },
        },
      );
      return answer.kind === 'refused' ? { code: answer.code, text: answer.text } : { code: answer.kind, text: answer.text };
    },
    async status(request) {
      return (await store.requests.state(TENANT, request.id))?.request.status ?? 'unknown';
    },
    async scimUser(email, members = {}) {
      const reply = await scim('POST', '/Users', {
        schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
        userName: email,
        emails: [{ value: email, primary: true }],
        ...members,
      });
      if (reply.status !== 201) throw new Error(reply.text);
      await store.directory.link(TENANT, accountOf(email), reply.json.id, 'administrator');
      return reply.json.id;
    },
    close: () => api.close(),
  };
}

/** A person's Slack account, by the address that the person had first. */
function accountOf(email: string) {
  return { platform: 'slack' as const, workspace: 'T1', user: `U${email.toUpperCase().replace(/[^A-Z0-9]/g, '')}` };
}
