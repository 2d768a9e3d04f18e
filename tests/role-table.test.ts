import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createFromClaims } from '@countersign/core/flow';
import { makePersonalToken } from '@countersign/identity';
import { type ApiWorld, createApiWorld } from '@countersign/intake/testing';

/*
 * Who may call what: every operation that the service publishes stands in one of these tables. Whoever
 * adds an operation has to say here for whom it is.
 */
jest.setTimeout(120_000);

const ROLES = ['nobody', 'api key', 'another key', 'outsider', 'operator', 'auditor', 'approver', 'requester', 'administrator'] as const;
type Role = (typeof ROLES)[number];

let world: ApiWorld;
const credentials = {} as Record<Role, string | undefined>;
let request: string;
let endpoint: string;

beforeAll(async () => {
  world = await createApiWorld();
  const person = async (name: string, role: string | null): Promise<string> => {
    const made = await createFromClaims({ ...world.flow, directory: world.store.directory }, 'default', 'https://id.example.com', {
      ...{ email: `${name}@roles.example`, name, groups: null },
    });
    if (role !== null) await world.sql(`UPDATE directory_people SET roles = '{${role}}' WHERE id = '${made.person_id}'`);
    return tokenOf(made.person_id);
  };
  // Each token has every scope: what its person may do is what counts.
  const tokenOf = async (person_id: string): Promise<string> => {
    const made = makePersonalToken(world.flow, {
      tenant: 'default',
      person_id,
      name: 'test',
      scopes: ['read', 'decide', 'admin'],
      life_seconds: 3600,
      stepped_up_at: world.flow.clock.now(),
    });
    await world.store.credentials.insertPersonalToken(made.record);
    return made.token;
  };
  Object.assign(credentials, {
    nobody: undefined,
    'api key': world.key,
    'another key': (await world.newKey({ owner: 'olivia' })).key,
    outsider: await person('outsider', null),
    operator: await person('operator', 'operator'),
    auditor: await person('auditor', 'auditor'),
    approver: await tokenOf(world.people.alice.id),
    requester: await tokenOf(world.people.dana.id),
    administrator: await tokenOf(world.people.olivia.id),
  } satisfies Record<Role, string | undefined>);
  request = (await world.pending()).id;
  endpoint = (await world.call('POST', '/v1/endpoints', { as: world.tokens.olivia, body: { url: `${world.url}/hook` } })).json.id;
});
afterAll(() => world.close());

interface Operation {
  method: string;
  path: string;
}
const operations = async (): Promise<Map<string, Operation>> => {
  const { paths } = (await world.call('GET', '/openapi.json')).json as { paths: Record<string, Record<string, { operationId: string }>> };
  return new Map(
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { operationId }]) => [operationId, { method: method.toUpperCase(), path }] as const),
    ),
  );
};

const none = 'per_01970000-0000-7000-8000-000000000000';
const rights = { actors: ['*'], actions: ['*'], environments: ['*'], callback_hosts: [], redeem: true };

/** What changes what everybody depends on: administrators alone. Each with a body that fits, of a thing that is not there where it would do harm. */
const ADMINISTRATORS: Record<string, { body?: object; query?: string; id?: string }> = {
  createApiKey: { body: { name: 'x', owner: none, rights } },
  changeApiKey: { body: { name: 'x' } },
  rotateApiKey: { body: {} },
  revokeApiKey: { body: { reason: 'x' } },
  changePerson: { body: { active: false }, id: none },
  createAgent: { body: { id: 'x', owner: none } },
  changeAgent: { body: { active: false } },
  createScimToken: { body: { name: 'x' } },
  revokeScimToken: {},
  registerEndpoint: { body: { url: 'ftp://nowhere.example/' } },
  changeEndpoint: { body: { description: 'x' } },
  deleteEndpoint: {},
  enableEndpoint: {},
  disableEndpoint: {},
  rotateEndpointSecret: {},
  testEndpoint: {},
  rotateKey: { body: { purpose: 'outcome' } },
  allowChatPlace: {},
  disallowChatPlace: {},
  createSlackInstallLink: { body: {} },
  forgetSlackInstallation: {},
  createLink: { body: { person: none, platform: 'slack', workspace: 'T1', user: 'U1' } },
};

/** What administrators and auditors read. */
const SEES_ALL: Record<string, { query?: string }> = {
  listPeople: {},
  listGroups: {},
  getGroup: {},
  listAgents: {},
  listScimTokens: {},
  listConfigChanges: {},
};

/** What operators read too: there is no payload in it. */
const OPERATIONS: Record<string, { id?: () => string }> = {
  listEndpoints: {},
  getEndpoint: { id: () => endpoint },
  listChatPlaces: {},
  listSlackInstallations: {},
};

/** A request and what belongs to it: its callers and people, and who reads all; operators not. */
const OF_A_REQUEST = ['getActionRequest', 'listActionRequestEvents', 'explainActionRequest', 'previewCard'];

const denied = (status: number): boolean => status === 401 || status === 403 || status === 404;

describe('roles', () => {
  const call = async (role: Role, { method, path }: Operation, ids: Record<string, string>, body?: object, query = '') => {
    const as = credentials[role];
    const filled = path.replace(/\{(\w+)\}/g, (_whole, name: string) => encodeURIComponent(ids[name] ?? 'none'));
    return world.call(method, `${filled}${query}`, { ...(as === undefined ? {} : { as }), ...(body === undefined ? {} : { body }) });
  };
  const tried = async (name: string, roles: readonly Role[], ids: Record<string, string>, body?: object, query?: string) => {
    const operation = (await operations()).get(name);
    if (operation === undefined) throw new Error(`there is no operation ${name}`);
    const answers: Partial<Record<Role, string>> = {};
    for (const role of roles) {
      const { status, json } = await call(role, operation, ids, body, query);
      answers[role] =
        denied(status) && json?.detail !== undefined && !/^There is no such (?!address)/.test(json.detail) ? 'denied' : status === 404 ? 'none' : 'let in';
    }
    return answers;
  };

  test.each(Object.entries(ADMINISTRATORS))('C4: %s is for administrators alone', async (name, { body, query, id }) => {
    const others = ROLES.filter((role) => role !== 'administrator');
    const statuses: Record<string, number> = {};
    const operation = (await operations()).get(name);
    if (operation === undefined) throw new Error(`there is no operation ${name}`);
    for (const role of others) statuses[role] = (await call(role, operation, { id: id ?? endpoint }, body, query)).status;
    expect(statuses).toEqual(Object.fromEntries(others.map((role) => [role, role === 'nobody' ? 401 : 403])));
    const { status } = await call('administrator', operation, { id: id ?? 'none' }, body, query);
    expect([401, 403]).not.toContain(status);
  });

  test.each(Object.keys(SEES_ALL))('C4: %s is for administrators and auditors', async (name) => {
    const operation = (await operations()).get(name);
    if (operation === undefined) throw new Error(`there is no operation ${name}`);
    for (const role of ROLES) {
      const { status } = await call(role, operation, { name: 'data-owners' });
      expect({ role, status }).toEqual({ role, status: role === 'nobody' ? 401 : role === 'administrator' || role === 'auditor' ? 200 : 403 });
    }
  });

  test.each(Object.entries(OPERATIONS))('C4: %s is for operators too', async (name, { id }) => {
    const answers = await tried(name, ['nobody', 'outsider', 'approver', 'requester', 'operator', 'auditor', 'administrator'], { id: id?.() ?? '' });
    expect(answers).toMatchObject({ nobody: 'denied', operator: 'let in', auditor: 'let in', administrator: 'let in' });
    for (const role of ['outsider', 'approver', 'requester'] as const) expect({ role, answer: answers[role] }).not.toEqual({ role, answer: 'let in' });
  });

  test.each(OF_A_REQUEST)('C4: %s shows a request to whom it is of, and to who reads all; to operators nothing of a payload', async (name) => {
    const operation = (await operations()).get(name);
    if (operation === undefined) throw new Error(`there is no operation ${name}`);
    for (const role of ROLES) {
      const { status } = await call(role, operation, { id: request, platform: 'web' });
      const sees = ['api key', 'approver', 'requester', 'auditor', 'administrator'].includes(role);
      expect({ role, status }).toEqual({ role, status: role === 'nobody' ? 401 : sees ? 200 : 404 });
    }
  });

  test('C4: lists hold what their reader may see', async () => {
    const listed = async (role: Role): Promise<number> => {
      const as = credentials[role];
      return (await world.call('GET', '/v1/action-requests', as === undefined ? {} : { as })).json.data.length;
    };
    for (const role of ['api key', 'approver', 'requester', 'auditor', 'administrator'] as const)
      expect({ role, count: await listed(role) }).toEqual({ role, count: 1 });
    for (const role of ['another key', 'outsider', 'operator'] as const) expect({ role, count: await listed(role) }).toEqual({ role, count: 0 });
  });

  test('C4: nobody but an approver decides: no administrator, no auditor, no operator, no key', async () => {
    const state = await world.store.requests.state('default', request);
    const body = { verdict: 'approve', request_digest: state?.request.request_digest };
    for (const role of ROLES.filter((one) => one !== 'approver')) {
      const as = credentials[role];
      const { status } = await world.call('POST', `/v1/action-requests/${request}/decisions`, { ...(as === undefined ? {} : { as }), body });
      expect({ role, refused: denied(status) }).toEqual({ role, refused: true });
    }
    expect((await world.store.requests.state('default', request))?.request.status).toBe('pending');
  });

  test('C5: SCIM is for SCIM tokens alone', async () => {
    for (const role of ROLES) {
      const as = credentials[role];
      expect((await world.call('GET', '/scim/v2/Users', as === undefined ? {} : { as })).status).toBe(401);
    }
  });

  test('C4: every operation is in a table', async () => {
    const known = [ADMINISTRATORS, SEES_ALL, OPERATIONS].flatMap((table) => Object.keys(table));
    expect([...(await operations()).keys()].filter((name) => ![...known, ...OF_A_REQUEST, ...OPEN, ...CALLERS, ...BY_WHAT_IT_IS].includes(name))).toEqual([]);
  });

  test('C4: what is for callers is not for people, and nothing but what is open is for nobody', async () => {
    const { paths } = (await world.call('GET', '/openapi.json')).json as {
      paths: Record<string, Record<string, { operationId: string; security?: Record<string, unknown>[] }>>;
    };
    const open: string[] = [];
    for (const [path, methods] of Object.entries(paths)) {
      for (const [method, { operationId }] of Object.entries(methods)) {
        const { status } = await call('nobody', { method: method.toUpperCase(), path }, {});
        if (status !== 401) open.push(operationId);
      }
    }
    expect(open.toSorted()).toEqual([...OPEN].toSorted());
    for (const name of CALLERS)
      expect({ name, answers: await tried(name, ['administrator', 'approver'], { id: request, proposal: 'none' }) }).toEqual({
        name,
        answers: { administrator: 'denied', approver: 'denied' },
      });
  });
});

/** What anybody on the network may call. */
const OPEN = [
  ...['exchangeToken', 'signIn', 'signInOptions', 'startSignIn', 'finishSignIn', 'backChannelLogout'],
  ...['ledgerCheckpoint', 'ledgerVerifierKeys', 'ledgerKeys', 'ledgerTile', 'publicKeys', 'openApi'],
];

/** What API keys call, and no person. */
const CALLERS = ['submitActionRequest', 'acceptProposal', 'freshGrant', 'redeemGrant', 'reportExecution', 'evaluate', 'mask'];

/**
 * What each reader may do with what is theirs, or what the thing itself says who may: decisions by policy, freezes by their scope, one's own
 * sessions, tokens, passkeys and links. Those have tests of their own.
 */
const BY_WHAT_IT_IS = [
  'decide',
  'replayPolicy',
  ...['beginPasskeyDecision', 'assertPasskeyDecision', 'getStepUpIntent', 'beginStepUp', 'stepUp', 'listActionRequests'],
  ...['cancelActionRequest', 'revokeActionRequest', 'decideTogether', 'markOpened', 'askQuestion', 'answerQuestion'],
  ...['proposeValues', 'listReviews', 'completeReview', 'nameStandIn', 'listStandIns', 'endStandIn'],
  ...['getReceipt', 'listApiKeys', 'getApiKey', 'me', 'signOut', 'logOut'],
  ...['listSessions', 'endSessions', 'endSession', 'createToken', 'listTokens', 'revokeToken'],
  ...['openMailLink', 'openLink', 'proveLink', 'confirmLink', 'listLinks', 'cutLink', 'listIdentities'],
  ...['cutIdentity', 'beginPasskey', 'enrolPasskey', 'listPasskeys', 'renamePasskey', 'removePasskey'],
  ...['listPasskeysOf', 'resetPasskeys', 'unmask', 'listMaskedValues', 'getPerson', 'activePolicy'],
  ...['listPolicies', 'policyHistory', 'policyStatus', 'storePolicy', 'rollbackPolicy', 'syncPolicies'],
  ...['getPolicy', 'activatePolicy', 'listDeliveries', 'redriveDeliveries', 'getDelivery', 'redriveDelivery'],
  ...['streamEvents', 'listNotices', 'placeFreeze', 'listFreezes', 'getFreeze', 'liftFreeze'],
  ...['getConfigChange', 'listPatterns', 'getPattern', 'revokePattern', 'ledgerEntries'],
];
