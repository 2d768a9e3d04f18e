import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { ALICE, aLeaf, anOpening, aSettling, at, BOB, TENANT } from './testing/sample-records.js';
import { storeFixture, type StoreFixture } from './testing/store-fixture.js';

let fixture: StoreFixture;
beforeAll(async () => {
  fixture = await storeFixture();
});
afterAll(() => fixture.close());

const TIMES = { lease_seconds: 60, refused_seconds: 3600 };
const aMail = (request_id: string | null = null, expires_at = at(3_600_000)) => ({
  tenant: TENANT,
  id: randomUUID(),
  person_id: ALICE,
  request_id,
  expires_at,
});
const opened = async (): Promise<string> => {
  const opening = anOpening();
  await fixture.store.requests.open(opening);
  return opening.request.id;
};

test('of workers that send the same mail at once one takes it; it is sent once, and what was sent is not taken again', async () => {
  const { mails } = fixture.store;
  const mail = aMail();
  const taken = await Promise.all(Array.from({ length: 8 }, () => mails.take(mail, TIMES)));
  expect(taken.map(({ kind }) => kind).toSorted()).toEqual([...Array.from({ length: 7 }, () => 'busy'), 'taken']);
  await mails.sent(TENANT, mail.id);
  expect(await mails.take(mail, TIMES)).toMatchObject({ kind: 'sent', mail: { sent_at: expect.any(String) } });
  // A worker that learns late that it failed undoes nothing.
  await mails.returned(TENANT, mail.id, '550 no');
  expect((await mails.take(mail, TIMES)).kind).toBe('sent');
});

test('a mail whose worker died is taken again once its time is over, and keeps the end that its link was signed for', async () => {
  const { mails } = fixture.store;
  const mail = aMail();
  await mails.take(mail, TIMES);
  await fixture.sql(`UPDATE mails SET sending_until = now() - interval '1 second' WHERE id = '${mail.id}'`);
  expect(await mails.take({ ...mail, expires_at: at(9_999_999) }, TIMES)).toMatchObject({ kind: 'taken', mail: { expires_at: mail.expires_at } });
});

test('a mail that was given back is taken at once; one that was refused for good only after its time', async () => {
  const { mails } = fixture.store;
  const mail = aMail();
  await mails.take(mail, TIMES);
  await mails.returned(TENANT, mail.id, null);
  expect((await mails.take(mail, TIMES)).kind).toBe('taken');
  await mails.returned(TENANT, mail.id, '550 5.1.1 No such user');
  expect(await mails.take(mail, TIMES)).toMatchObject({ kind: 'refused', mail: { refused: '550 5.1.1 No such user' } });
  expect(await mails.take(mail, { ...TIMES, refused_seconds: 0 })).toMatchObject({ kind: 'taken', mail: { refused: null } });
});

test('I2: a link is spent once, by its person, in time, while its request waits, and with its leaf', async () => {
  const { mails, requests } = fixture.store;
  const request_id = await opened();
  const leaves = async () => (await requests.timeline(TENANT, request_id)).filter(({ event }) => event === 'mail.opened').length;
  const [mail, late, other] = [aMail(request_id), aMail(request_id, at(-1_000)), aMail(request_id)];
  for (const each of [mail, late, other]) await mails.take(each, TIMES);
  const open = ({ id }: { id: string }, person_id = ALICE) =>
    mails.open({ tenant: TENANT, id, person_id, session_id: 'ses_1' }, aLeaf(request_id, 'mail.opened'));
  expect([await open(mail, BOB), await open(late), await open({ id: randomUUID() })]).toEqual([false, false, false]);
  expect((await Promise.all([open(mail), open(mail), open(mail)])).filter(Boolean)).toHaveLength(1);
  expect(await leaves()).toBe(1);
  await requests.change(aSettling(request_id, ALICE));
  expect(await open(other)).toBe(false);
  expect(await leaves()).toBe(1);

  const was = { tenant: TENANT, id: mail.id, person_id: ALICE, session_id: 'ses_1', request_id };
  expect(await mails.wasOpened(was)).toBe(true);
  for (const not of [
    { ...was, session_id: 'ses_2' },
    { ...was, person_id: BOB },
    { ...was, request_id: await opened() },
    { ...was, id: other.id },
    { ...was, tenant: 'other' },
  ])
    expect(await mails.wasOpened(not)).toBe(false);
});
