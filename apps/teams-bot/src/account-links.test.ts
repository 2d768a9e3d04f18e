import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { linkTokenHash } from '@countersign/core/flow';
import { cardText } from '@countersign/dev-env/teams';
import { GROUP, PEOPLE, startTeamsRig, TENANT_ID, type TeamsRig } from './testing/teams-rig.js';

/* How an account that is nobody's becomes somebody's, on Teams' side; the browser's side is intake's. */

let rig: TeamsRig;
beforeEach(async () => {
  rig = await startTeamsRig();
});
afterEach(() => rig.close());

async function pressedBy(user: string): Promise<{ id: string; text: string }> {
  await rig.allow(GROUP);
  const { id } = await rig.world.open();
  await rig.bot.work();
  const card = rig.teams.activities(GROUP).findLast((one) => rig.teams.card(one.id) !== undefined);
  const { shown } = await rig.teams.client.press({ user, conversation: GROUP, activityId: card?.id ?? '', verb: 'approve' });
  return { id, text: shown.kind === 'message' ? shown.text : cardText(rig.teams.card(card?.id ?? '')) };
}

describe('an account that is nobody’s', () => {
  test('C5: is answered with a link of its own, in the press alone, and decides nothing', async () => {
    const { id, text } = await pressedBy('mallory');
    const url = /http:\/\/localhost:8080\/link#[\w-]{43}/.exec(text)?.[0] ?? '';
    expect(text).toContain('belongs to nobody');
    expect(JSON.stringify(rig.teams.activities(GROUP).map(({ body }) => body))).not.toContain('/link#');
    expect((await rig.world.state(id)).decisions).toEqual([]);
    const by = { tenant: rig.world.tenant, person_id: rig.world.people.alice, session_id: 'ses_1' };
    const opened = await rig.world.store.chatLinks.openLink(linkTokenHash(new URL(url).hash.slice(1)), by);
    expect(opened).toMatchObject({ platform: 'teams', workspace: TENANT_ID, user: PEOPLE.mallory });
  });

  test('C5: the code goes into the account’s personal chat, and nowhere where there is none', async () => {
    const { chatLinks } = rig.world.store;
    const by = { tenant: rig.world.tenant, person_id: rig.world.people.alice, session_id: 'ses_1' };
    const want = async (): Promise<void> => {
      const { text } = await pressedBy('mallory');
      const hash = linkTokenHash(new URL(/http:\S+\/link#[\w-]{43}/.exec(text)?.[0] ?? '').hash.slice(1));
      await chatLinks.openLink(hash, by);
      await chatLinks.wantCode(hash, by, 5);
      await rig.bot.work();
    };
    await want();
    expect(rig.warnings.join()).toContain('no personal chat');
    await rig.teams.client.installPersonal('mallory');
    await want();
    const said = rig.teams.activities(rig.teams.personal('mallory').id).map(({ body }) => String(body['text'] ?? ''));
    expect(said.filter((text) => /[0-9A-Z]{4}-[0-9A-Z]{4}/.test(text) && text.includes('alice@example.com'))).toHaveLength(1);
    expect(JSON.stringify(rig.teams.activities(GROUP).map(({ body }) => body))).not.toMatch(/enter [0-9A-Z]{4}-/);
  });
});
