import { entriesOf, linkOf, personMayRead, refusals } from '@countersign/core/decision';
import { delegate } from '@countersign/core/flow';
import { namedGroups } from '@countersign/core/policy';
import type { Person } from '@countersign/core/ports';
import type { FormField } from '../actions.js';
import { listIn, textIn } from './forms.js';
import { instantWords, readUntil } from '../commands/when.js';
import { type ActionHandler, type Road, told } from './road.js';
import { zoneOf } from './snooze.js';

/** Somebody stands in for whoever presses, from now on: for this request and all others whose policy allows it. */
export const delegateAction: ActionHandler = {
  async form(road) {
    const candidates = await candidatesOf(road);
    const choice: FormField[] =
      candidates.length === 0
        ? []
        : [
            {
              kind: 'choice',
              id: 'who',
              label: 'Who stands in for you',
              required: false,
              many: false,
              options: candidates.map(({ id, name, email }) => ({ value: id, label: `${name} (${email})` })),
            },
          ];
    return {
      action: 'delegate',
      title: 'Hand over',
      intro: [
        road.card.headline,
        'Somebody else decides in your stead for a while: this request and every other whose policy allows stand-ins. Decisions name you both. Nobody who stands behind a request may, and nobody passes it on.',
        ...(road.card.stand_ins === true ? [] : ['Policy has no stand-ins for THIS request: it goes on waiting for you and the others.']),
      ],
      fields: [
        ...choice,
        {
          kind: 'text',
          id: 'address',
          label: choice.length === 0 ? 'Who stands in for you' : 'Or somebody else',
          hint: 'An e-mail address of the directory',
          required: choice.length === 0,
          multiline: false,
          max: 320,
        },
        {
          kind: 'text',
          id: 'until',
          label: 'Until when',
          hint: 'Friday, tomorrow 14:00, for 3 days, 2026-12-01. A day ends with it.',
          required: true,
          multiline: false,
          max: 60,
        },
        { kind: 'text', id: 'reason', label: 'Why', required: false, multiline: false, max: 500 },
      ],
      submit: 'Hand over',
      subject: null,
    };
  },
  async done(road, values) {
    const named = [...listIn(values, 'who'), ...[textIn(values, 'address') ?? []].flat()];
    const [ref, second] = named;
    if (ref === undefined || second !== undefined) {
      return { kind: 'refused', code: 'form_incomplete', text: 'Nothing was done. Name one person: choose from the list, or write an address, not both.' };
    }
    const zone = zoneOf(road);
    const until = readUntil(textIn(values, 'until') ?? '', road.world.flow.clock.now(), zone);
    if (until === null) {
      return { kind: 'refused', code: 'form_incomplete', text: 'Nothing was done. Say until when: Friday, tomorrow 14:00, for 3 days, or 2026-12-01.' };
    }
    const { directory, delegations } = road.world.store;
    const [stand] = await directory.people(road.by.tenant, [ref]);
    // It was pressed about this request: who could not decide it anyway is refused here, not at the press.
    if (stand !== undefined && linkOf(road.state.request.chain, stand) !== null) {
      return told(refusals.delegationNotAllowed(`${stand.name} stands behind this request and cannot decide it in your stead. Name somebody else.`));
    }
    const reason = textIn(values, 'reason');
    const outcome = await delegate(
      { ...road.world.flow, directory, delegations },
      { tenant: road.by.tenant, person: road.person },
      { delegate: ref, until, ...(reason === undefined ? {} : { reason }) },
    );
    if (outcome.kind === 'refused') return told(outcome);
    const here = road.card.stand_ins === true ? '' : ' This request’s own policy has no stand-ins.';
    return {
      kind: 'done',
      text: `${outcome.delegation.delegate.name} stands in for you until ${instantWords(outcome.delegation.until, zone)}, where policy allows it, and is told.${here} Take it back with the command “back”.`,
      card: null,
    };
  },
};

/** As a select at Slack takes options. */
const MOST_LISTED = 100;

/** Members of the groups that are asked, besides the person, whoever stands behind the request, and whoever is not active. */
async function candidatesOf({ world, by, person, state }: Road): Promise<Person[]> {
  const { requirement, chain } = state.request;
  // Who is in which group is told to those who may see the request.
  if (requirement === null || !personMayRead(person, state)) return [];
  const { directory } = world.store;
  const { groups } = await directory.look(by.tenant, { groups: namedGroups(requirement) });
  const ids = [...new Set(groups.flatMap(({ members }) => members))].filter((id) => !entriesOf(person).includes(id));
  const people = await directory.people(by.tenant, ids.slice(0, 2 * MOST_LISTED));
  return people
    .filter((who) => who.active && linkOf(chain, who) === null)
    .toSorted((a, b) => a.name.localeCompare(b.name, 'en'))
    .slice(0, MOST_LISTED);
}
