import { expect, test } from '@jest/globals';
import { noticeOf } from '@countersign/core/flow';
import { createApprovalWorld } from '@countersign/dev-env/approval-world';
import { routingChecks } from './routing.js';

test('the doctor names where cards cannot be shown, and why, until it works again', async () => {
  const world = await createApprovalWorld();
  try {
    expect(await routingChecks(world.store, world.tenant)).toMatchObject([{ status: 'ok' }]);
    const notice = (text: string) => noticeOf(world.flow, null, 'routing_failed', world.flow.clock.now(), { groups: ['role:administrator'], text });
    const failure = { tenant: world.tenant, platform: 'slack' as const, target: 'channel #prod', reason: 'Slack answers not_in_channel' };
    expect(await world.store.routing.failed(failure, notice('first'))).toBe(true);
    // It is told once, however often it happens.
    expect(await world.store.routing.failed(failure, notice('second'))).toBe(false);
    const told = await world.store.notices.since({ tenant: world.tenant, person_id: world.people.olivia, groups: ['role:administrator'], seconds: 60 });
    expect(told.map(({ text }) => text)).toEqual(['first']);
    const [check] = await routingChecks(world.store, world.tenant);
    expect(check).toMatchObject({ status: 'warn', says: expect.stringMatching(/#prod \(slack\) since \d{4}-.*: Slack answers not_in_channel/) });
    await world.store.routing.mended(world.tenant, 'slack', ['channel #prod']);
    expect(await routingChecks(world.store, world.tenant)).toMatchObject([{ status: 'ok' }]);
  } finally {
    await world.close();
  }
});
