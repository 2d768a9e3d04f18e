import { expect } from '@jest/globals';
import { expectClosed, expectOpen, posted } from './cards.js';
import type { PlatformHarness, Row } from './harness.js';
import { decisions } from './presses.js';

/** What was put off is tried again. */
async function later(harness: PlatformHarness): Promise<void> {
  await harness.world.hurry();
  await harness.work();
}

/** A platform in trouble: nothing is lost, nothing is doubled, nothing else waits for it. */
export const faultRows: Row[] = [
  {
    title: 'A5: a platform that is down delays its cards and loses none',
    needs: 'posted cards',
    async run(harness) {
      await harness.down();
      const ids = [(await harness.world.open()).id, (await harness.world.open()).id];
      await harness.work();
      await later(harness);
      for (const id of ids) expect(await harness.cards(id)).toEqual([]);
      expect(harness.complaints()).not.toEqual([]);
      await harness.up();
      await later(harness);
      for (const id of ids) await expectOpen(harness, id);
    },
  },
  {
    title: 'C1: while a platform is down people decide elsewhere, and its card closes when it is back',
    needs: 'posted cards',
    async run(harness) {
      const id = await posted(harness);
      await harness.down();
      await harness.world.decide('alice', id, 'approve');
      await harness.work();
      expect(await harness.world.state(id)).toMatchObject({ request: { status: 'approved' }, decisions: [{ verdict: 'approve' }] });
      await harness.up();
      await later(harness);
      await expectClosed(harness, id, 'Approved by Alice Example');
    },
  },
  {
    title: 'C1: what was opened and settled while the platform was down is not put before people as open',
    needs: 'posted cards',
    async run(harness) {
      await harness.down();
      const { id } = await harness.world.open();
      await harness.work();
      await harness.world.cancel(id);
      await harness.up();
      await later(harness);
      for (const { buttons } of await harness.cards(id)) expect(buttons).not.toContain('Approve');
    },
  },
  {
    title: 'a post whose answer was lost is found again, not made twice, and its buttons decide',
    needs: 'finding posts',
    async run(harness) {
      harness.loseAnswer('post');
      const { id } = await harness.world.open();
      await harness.work();
      await later(harness);
      await expectOpen(harness, id);
      expect(await harness.press({ person: 'alice', request: id, verdict: 'approve' })).toMatchObject({ accepted: true });
      await harness.work();
      await expectClosed(harness, id, 'Approved by Alice Example');
    },
  },
  {
    title: 'a post whose answer was lost is made once more, and the copy that nobody knows decides nothing',
    needs: 'posts that cannot be found',
    async run(harness) {
      harness.loseAnswer('post');
      const { id } = await harness.world.open();
      await harness.work();
      await later(harness);
      await later(harness);
      expect(await harness.cards(id)).toHaveLength(harness.places + 1);
      const { accepted, privateText } = await harness.pressCopy('alice', id);
      expect({ accepted, privateText }).toEqual({ accepted: false, privateText: expect.stringContaining('does not belong to this card') });
      expect(await decisions(harness, id)).toEqual([]);
      expect(await harness.press({ person: 'alice', request: id, verdict: 'approve' })).toMatchObject({ accepted: true });
    },
  },
  {
    title: 'an update whose answer was lost is made again, and the card closes',
    needs: 'posted cards',
    async run(harness) {
      const id = await posted(harness);
      await harness.world.decide('alice', id, 'approve');
      harness.loseAnswer('update');
      await harness.work();
      await later(harness);
      await expectClosed(harness, id, 'Approved by Alice Example');
    },
  },
];
