import { expect } from '@jest/globals';
import type { Verdict } from '@countersign/contracts';
import { expectClosed, expectOpen, OVERDUE, posted, PRIVILEGE } from './cards.js';
import type { AccountKind, Forgery, PlatformHarness, PressAnswer, Row } from './harness.js';

/** Who decided what, in order. */
export const decisions = async (harness: PlatformHarness, id: string): Promise<string[]> =>
  (await harness.world.state(id)).decisions.map(({ person, verdict }) => `${person.email} ${verdict}`);

/** Words for a fault, and any others: those say why. */
const FAULT = /^Something failed on our side/;
const REASON = /^(?!Something failed on our side)\w/;

/** Nothing was decided, the presser alone was told why, and the card of the request is for everybody as it was. */
async function expectRefused(harness: PlatformHarness, id: string, press: () => Promise<PressAnswer>, words: RegExp = REASON): Promise<void> {
  const before = { cards: await harness.cards(id), messages: harness.messages(), decisions: await decisions(harness, id) };
  const { accepted, privateText } = await press();
  expect({ accepted, privateText }).toEqual({ accepted: false, privateText: expect.stringMatching(words) });
  await harness.work();
  expect({ cards: await harness.cards(id), messages: harness.messages(), decisions: await decisions(harness, id) }).toEqual(before);
}

const BOTH: Verdict[] = ['approve', 'deny'];

const self: Row = {
  title: 'C4: the person behind a request can neither approve nor deny it; they are told privately, and the card stays as it is',
  async run(harness) {
    const id = await posted(harness);
    for (const verdict of BOTH) await expectRefused(harness, id, () => harness.press({ person: 'dana', request: id, verdict }), /on your behalf/);
    await expectOpen(harness, id);
  },
};

const strangers: Row = {
  title: 'C4, C5: one who is no approver is refused privately, an administrator too',
  async run(harness) {
    const id = await posted(harness);
    for (const person of ['carol', 'olivia'])
      for (const verdict of BOTH) await expectRefused(harness, id, () => harness.press({ person, request: id, verdict }), /not an approver.*1 of data-owners/);
    await expectOpen(harness, id);
  },
};

const accountRows = (['unknown account', 'deactivated account', 'guest account', 'outside account', 'bot account'] satisfies AccountKind[]).map(
  (kind): Row => ({
    title: `C5: ${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind} is refused privately and decides nothing`,
    needs: kind,
    async run(harness) {
      const id = await posted(harness);
      const person = await harness.account(kind);
      for (const verdict of BOTH) await expectRefused(harness, id, () => harness.press({ person, request: id, verdict }));
      await expectOpen(harness, id);
    },
  }),
);

const forgeryRows = (
  [
    ['data of another request', 'A4: the data of another request on this card decides neither'],
    ['digest of another request', 'A4: the digest of another request decides nothing: what was shown is what is decided'],
    ['a request that does not exist', 'A4: the data of a request that does not exist decides nothing'],
    ['another message', 'A4: the button on a message that is not the card of its request decides nothing'],
  ] satisfies [Forgery, string][]
).map(([forgery, title]): Row => ({
  title,
  ...(forgery === 'another message' ? { needs: 'messages with buttons' as const } : {}),
  async run(harness) {
    const [id, other] = [await posted(harness), await posted(harness)];
    await expectRefused(harness, id, () => harness.forge({ person: 'alice', request: id, forgery, other }));
    expect(await decisions(harness, other)).toEqual([]);
    for (const each of [id, other]) await expectOpen(harness, each);
  },
}));

/** Presses, and what becomes of them. */
export const pressRows: Row[] = [
  {
    title: 'C3: one press approves, its presser is told, and the card closes with who did it',
    async run(harness) {
      const id = await posted(harness);
      const messages = harness.messages();
      expect(await harness.press({ person: 'alice', request: id, verdict: 'approve' })).toMatchObject({ accepted: true });
      await harness.work();
      await expectClosed(harness, id, 'Approved by Alice Example');
      const { request, decisions: made, outcomes } = await harness.world.state(id);
      expect({ status: request.status, outcomes: outcomes.length }).toEqual({ status: 'approved', outcomes: 1 });
      expect(made).toMatchObject([{ person: { email: 'alice@example.com' }, verdict: 'approve', via: harness.via }]);
      expect(harness.messages()).toBe(messages);
    },
  },
  {
    title: 'C3: a denial takes its reason along, as it was written, to the outcome and the card',
    async run(harness) {
      const id = await posted(harness);
      const reason = 'Too wide: <!channel> **all** of it & more';
      expect(await harness.press({ person: 'bob', request: id, verdict: 'deny', reason })).toMatchObject({ accepted: true });
      await harness.work();
      await expectClosed(harness, id, `Denied by Bob Example: ${reason}`);
      expect(await harness.world.state(id)).toMatchObject({ request: { status: 'denied' }, decisions: [{ verdict: 'deny', reason }] });
      expect(await harness.markup(id)).toEqual([]);
    },
  },
  {
    title: 'C3: a denial needs no reason where policy does not ask for one',
    async run(harness) {
      const id = await posted(harness);
      expect(await harness.press({ person: 'bob', request: id, verdict: 'deny' })).toMatchObject({ accepted: true });
      expect(await harness.world.state(id)).toMatchObject({ request: { status: 'denied' }, decisions: [{ verdict: 'deny', reason: null }] });
    },
  },
  {
    title: 'C3: where policy asks for a reason, a press without one decides nothing, and one with a reason counts',
    async run(harness) {
      await harness.world.demandReasons();
      for (const verdict of BOTH) {
        const id = await posted(harness);
        await expectRefused(harness, id, () => harness.press({ person: 'alice', request: id, verdict }), /reason/i);
        expect(await harness.press({ person: 'alice', request: id, verdict, reason: 'I looked at it' })).toMatchObject({ accepted: true });
        expect((await harness.world.state(id)).decisions).toMatchObject([{ verdict, reason: 'I looked at it' }]);
      }
    },
  },
  self,
  strangers,
  ...accountRows,
  {
    title: 'C5: who left the directory between card and press decides nothing',
    async run(harness) {
      const id = await posted(harness);
      await harness.world.deactivate('alice');
      await expectRefused(harness, id, () => harness.press({ person: 'alice', request: id, verdict: 'approve' }));
      await expectOpen(harness, id);
    },
  },
  {
    title: 'C4: the same human under a second account counts once',
    needs: 'second account',
    async run(harness) {
      const id = await posted(harness, PRIVILEGE);
      await harness.press({ person: 'bob', request: id, verdict: 'approve' });
      await harness.work();
      const second = await harness.account('second account');
      await expectRefused(harness, id, () => harness.press({ person: second, request: id, verdict: 'approve' }), /decided already/);
      await expectOpen(harness, id);
    },
  },
  {
    title: 'I3: one person decides once, and cannot turn an approval into a denial',
    async run(harness) {
      const id = await posted(harness, PRIVILEGE);
      await harness.press({ person: 'bob', request: id, verdict: 'approve' });
      await harness.work();
      for (const verdict of BOTH) await expectRefused(harness, id, () => harness.press({ person: 'bob', request: id, verdict }), /decided already/);
    },
  },
  ...forgeryRows,
  {
    title: 'A4, I2: a press that is sent again, byte for byte, decides once',
    async run(harness) {
      const id = await posted(harness, PRIVILEGE);
      const first = await harness.press({ person: 'bob', request: id, verdict: 'approve' });
      expect(first.accepted).toBe(true);
      await harness.work();
      await expectRefused(harness, id, () => first.again(), /decided already/);
      await harness.press({ person: 'alice', request: id, verdict: 'approve' });
      await harness.work();
      await expectRefused(harness, id, () => first.again(), /Too late|decided already/);
      expect(await decisions(harness, id)).toEqual(['bob@example.com approve', 'alice@example.com approve']);
      expect((await harness.world.state(id)).outcomes).toHaveLength(1);
    },
  },
  {
    title: 'I2: a press on a card that is closed, as a stale client sends it, decides nothing',
    async run(harness) {
      const id = await posted(harness);
      await harness.world.decide('alice', id, 'deny');
      await harness.work();
      await expectRefused(harness, id, () => harness.forge({ person: 'bob', request: id, forgery: null, other: id }), /Too late/);
      expect((await harness.world.state(id)).request.status).toBe('denied');
    },
  },
  {
    title: 'I2: of two who press at once, where one is needed, one decides and the other is told that it is too late',
    async run(harness) {
      const id = await posted(harness);
      const answers = await Promise.all(['alice', 'bob'].map((person) => harness.press({ person, request: id, verdict: 'approve' })));
      expect(answers.filter(({ accepted }) => accepted)).toHaveLength(1);
      expect(answers.find(({ accepted }) => !accepted)?.privateText).toContain('Too late');
      const { decisions: made, outcomes } = await harness.world.state(id);
      expect([made.length, outcomes.length]).toEqual([1, 1]);
    },
  },
  {
    title: 'I2: of two who press at once, where both are needed, both decide, and it is settled once',
    async run(harness) {
      const id = await posted(harness, PRIVILEGE);
      const answers = await Promise.all(['alice', 'carol'].map((person) => harness.press({ person, request: id, verdict: 'approve' })));
      expect(answers.map(({ accepted }) => accepted)).toEqual([true, true]);
      const { request, decisions: made, outcomes } = await harness.world.state(id);
      expect([request.status, made.length, outcomes.length]).toEqual(['approved', 2, 1]);
      await harness.work();
      await expectClosed(harness, id, 'Approved by');
    },
  },
  {
    title: 'I2: an approval and a denial at once settle it once, and the card shows what was settled',
    async run(harness) {
      const id = await posted(harness);
      const [approval, denial] = await Promise.all([
        harness.press({ person: 'alice', request: id, verdict: 'approve' }),
        harness.press({ person: 'bob', request: id, verdict: 'deny' }),
      ]);
      expect([approval.accepted, denial.accepted].filter(Boolean)).toHaveLength(1);
      await harness.work();
      await expectClosed(harness, id, approval.accepted ? 'Approved by Alice Example' : 'Denied by Bob Example');
      expect((await harness.world.state(id)).request.status).toBe(approval.accepted ? 'approved' : 'denied');
    },
  },
  {
    title: 'A5, C6: a press after the time is over decides nothing, also before anybody settled it',
    async run(harness) {
      const id = await posted(harness, ...OVERDUE);
      const { accepted, privateText } = await harness.press({ person: 'alice', request: id, verdict: 'approve' });
      expect({ accepted, privateText }).toEqual({ accepted: false, privateText: expect.stringMatching(/Too late/) });
      await harness.world.expire(id);
      await harness.work();
      await expectClosed(harness, id, 'Expired');
      expect(await decisions(harness, id)).toEqual([]);
    },
  },
  {
    title: 'A5: where the decision cannot be stored nothing is decided, the presser is told, and the next press counts',
    async run(harness) {
      const id = await posted(harness);
      harness.world.failNextDecision();
      await expectRefused(harness, id, () => harness.press({ person: 'alice', request: id, verdict: 'approve' }), FAULT);
      expect(await harness.press({ person: 'alice', request: id, verdict: 'approve' })).toMatchObject({ accepted: true });
    },
  },
  {
    title: 'A5, C5: where the platform does not say who pressed nothing is decided, the presser is told, and the next press counts',
    needs: 'account look-up',
    async run(harness) {
      const id = await posted(harness);
      harness.failLookUp();
      await expectRefused(harness, id, () => harness.press({ person: 'alice', request: id, verdict: 'approve' }), /nothing was decided/);
      expect(await harness.press({ person: 'alice', request: id, verdict: 'approve' })).toMatchObject({ accepted: true });
    },
  },
];
