import { startWireServer, type WireServer } from './wire/wire-server.js';

/** PagerDuty and Opsgenie, as far as they are asked who is on call: their paths, parameters, headers and refusals. */
export interface FakeOnCall {
  url: string;
  wire: WireServer;
  pagerDutyToken: string;
  opsgenieToken: string;
  /** From now on these are on call by a schedule: PagerDuty's id, or Opsgenie's name. */
  duty: Map<string, string[]>;
  /** How often it was asked. */
  asked(): number;
  close(): Promise<void>;
}

export async function startFakeOnCall(): Promise<FakeOnCall> {
  const duty = new Map<string, string[]>();
  const [pagerDutyToken, opsgenieToken] = ['pagerduty-test-token', 'opsgenie-test-key'];
  const json = (status: number, body: unknown) => ({ status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const wire = await startWireServer({
    nameOf: (_method, path) => (path === '/oncalls' ? 'pagerduty' : 'opsgenie'),
    handle: async ({ method, path, query, headers }) => {
      if (method !== 'GET') return json(405, { message: 'Method not allowed' });
      if (path === '/oncalls') {
        if (headers.authorization !== `Token token=${pagerDutyToken}`) return json(401, { error: { code: 2006, message: 'Authentication failed' } });
        const [limit, offset] = [Number(query.get('limit') ?? 25), Number(query.get('offset') ?? 0)];
        if (limit > 100) return json(400, { error: { code: 2001, message: 'Invalid Input Provided', errors: ['Limit must be less than or equal to 100.'] } });
        const included = query.getAll('include[]').includes('users');
        // An unknown schedule is no error there: nobody is on call by it. Each person stands there once for each escalation policy.
        const entries = query.getAll('schedule_ids[]').flatMap((schedule) =>
          (duty.get(schedule) ?? []).flatMap((email, index) =>
            ['PPOL1', 'PPOL2'].map((policy) => ({
              escalation_policy: { id: policy, type: 'escalation_policy_reference', summary: policy },
              escalation_level: 1,
              schedule: { id: schedule, type: 'schedule_reference', summary: schedule },
              user: included
                ? { id: `PUSER${String(index)}`, type: 'user', summary: email, name: email, email }
                : { id: `PUSER${String(index)}`, type: 'user_reference', summary: email },
              start: null,
              end: null,
            })),
          ),
        );
        return json(200, { oncalls: entries.slice(offset, offset + limit), limit, offset, more: offset + limit < entries.length, total: null });
      }
      const [, name] = /^\/v2\/schedules\/([^/]+)\/on-calls$/.exec(path) ?? [];
      if (headers.authorization !== `GenieKey ${opsgenieToken}`) return json(403, { message: 'API Key is inactive or invalid', took: 0.001, requestId: 'r' });
      const schedule = name === undefined || query.get('scheduleIdentifierType') !== 'name' ? undefined : decodeURIComponent(name);
      const people = schedule === undefined ? undefined : duty.get(schedule);
      if (people === undefined) return json(404, { message: `Schedule with name [${schedule ?? ''}] does not exist`, took: 0.001, requestId: 'r' });
      const parent = { id: 'd875e654-9b4e-4219-a803-0c26936d18de', name: schedule, enabled: true };
      const data =
        query.get('flat') === 'true'
          ? { _parent: parent, onCallRecipients: people }
          : { _parent: parent, onCallParticipants: people.map((email) => ({ id: email, name: email, type: 'user' })) };
      return json(200, { data, took: 0.012, requestId: 'r' });
    },
  });
  return { url: wire.url, wire, pagerDutyToken, opsgenieToken, duty, asked: () => wire.traffic.length, close: () => wire.close() };
}
