import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RequestState } from '@countersign/core/ports';
import { type ApprovalWorld, createApprovalWorld } from '@countersign/dev-env/approval-world';
import fc from 'fast-check';
import { batchMessage } from './batch-message.js';

let world: ApprovalWorld;
let one: RequestState;
beforeAll(async () => {
  world = await createApprovalWorld();
  one = await world.state((await world.open()).id);
});
afterAll(() => world.close());

const PUBLIC_URL = 'https://countersign.example.com';
const STATUSES = ['pending', 'approved', 'denied', 'expired', 'cancelled'] as const;

test('whatever becomes of so many: each that waits is listed with its id and a button, or counted, and what is decided together is what is listed', () => {
  const kind = fc.record({ status: fc.constantFrom(...STATUSES), bulk: fc.boolean(), action: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 400 }) });
  fc.assert(
    fc.property(fc.array(kind, { minLength: 1, maxLength: 60 }), (kinds) => {
      const states = kinds.map(({ status, bulk, action }, nth): RequestState => {
        const { requirement, view } = one.request;
        if (requirement === null) throw new Error('the request asks for nobody');
        const id = one.request.id.replace(/.{4}$/, String(nth).padStart(4, '0'));
        const { bulk: _bulk, ...terms } = requirement;
        return { ...one, request: { ...one.request, id, status, view: { ...view, action }, requirement: bulk ? { ...terms, bulk } : terms } };
      });
      const waiting = states.filter(({ request }) => request.status === 'pending').map(({ request }) => request.id);
      const { message, listed } = batchMessage({ card: { publicUrl: PUBLIC_URL, notice: null }, publicUrl: PUBLIC_URL }, states);
      const text = message.lines.join('\n');
      const shown = waiting.filter((id) => listed.includes(id));
      for (const id of shown) {
        expect(text).toContain(`${id}, until `);
        expect(message.links.filter(({ url }) => url.endsWith(`/${id}`))).toHaveLength(1);
      }
      const [, left = '0'] = /And ([\d,]+) more that wait/.exec(text) ?? [];
      expect(shown.length + Number(left)).toBe(waiting.length);
      // Nothing that waits is left out for something that does not.
      if (Number(left) > 0) expect(shown).toHaveLength(listed.length);
      expect(message.title.startsWith(`${String(waiting.length)} request`) || waiting.length === 0).toBe(true);
      expect(message.links.length + message.actions.length).toBeLessThanOrEqual(20);
      // No line of others' text looks like one of ours: the ids of the list stand at the beginning of a line, each once.
      expect(text.split('\n').filter((line) => /^ar_[0-9a-f-]{36}, /.test(line))).toHaveLength(listed.length);
      const bulk = states.filter(({ request }) => shown.includes(request.id)).every(({ request }) => request.requirement?.bulk === true);
      const [together] = message.actions;
      expect(together?.subject ?? '').toBe(bulk && shown.length > 1 ? shown.join(',') : '');
    }),
    { numRuns: 300 },
  );
});
