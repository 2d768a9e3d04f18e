/** Evaluations of a policy of 10, 100 and 1,000 rules, all for the action that is asked for and spread over as many actions. */
import { compileBundle, Transitions } from '@countersign/core/policy';

const HEAD =
  'apiVersion: countersign.dev/v1\nkind: PolicyBundle\nmetadata: { name: bench, version: 1 }\ndefaults: { outcome: allow, undeclared: allow, require: { stages: [{ all: [{ group: g }] }] } }\n';

/** Five parts each, as people write them: a comparison, a guarded number, a prefix and a search in a list. */
const ruleText = (index, action) =>
  `  - { id: r${index}, effect: deny, actions: [${action}], when: 'environment == "production" && has(parameters.rows) && parameters.rows > ${index + 1000} && parameters.table.startsWith("prod.") && parameters.tags.exists(t, t == "pii")' }\n`;

const REQUEST = {
  action: 'a0',
  resource: { type: 'postgres_table', id: 'prod.orders' },
  actor: { type: 'agent', id: 'retrainer' },
  environment: 'production',
  parameters: { rows: 500, table: 'prod.orders', tags: ['eu', 'internal'] },
  now: '2026-01-01T12:00:00.000Z',
};

/** @returns the middle evaluation of 100 rules that are all for the action, in milliseconds: what intake's share is reckoned with */
export function measurePolicy({ report, short }) {
  report.heading('Policy: evaluations in one process');
  let ofIntake = 0;
  for (const rules of [10, 100, 1000]) {
    for (const spread of [false, true]) {
      const text = HEAD + 'rules:\n' + Array.from({ length: rules }, (_, index) => ruleText(index, spread ? `a${index}` : 'a0')).join('');
      const compiled = compileBundle([{ path: 'policy.yaml', text }]);
      if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
      const { p50, p99 } = timed(() => compiled.bundle.evaluate(REQUEST), short ? 2_000 : 20_000);
      if (rules === 100 && !spread) ofIntake = p50;
      const name = `evaluate, ${rules} rules, ${spread ? 'one' : 'all'} for the action: p99`;
      const detail = `p50 ${p50.toFixed(3)} ms, ${Math.round(1000 / p50)}/s`;
      // The goal is for 100 rules; a thousand for one action are nobody's bundle, and are told for the shape.
      if (rules <= 100 || spread) report.line(name, p99, { atMost: 1 }, { unit: ' ms', detail });
      else report.note(`${name} ${p99.toFixed(2)} ms   ${detail}`);
    }
  }
  replay(report, short);
  return ofIntake;
}

/** A draft beside the bundle in force over past requests, as `countersign policy replay` has it: both are evaluated on each. */
function replay(report, short) {
  const [current, draft] = [100, 101].map((rules) => {
    const text = HEAD + 'rules:\n' + Array.from({ length: rules }, (_, index) => ruleText(index, `a${index % 10}`)).join('');
    const compiled = compileBundle([{ path: 'policy.yaml', text }]);
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
    return compiled.bundle;
  });
  const requests = short ? 10_000 : 100_000;
  const transitions = new Transitions(5);
  const before = performance.now();
  for (let index = 0; index < requests; index++) {
    const request = { ...REQUEST, action: `a${index % 10}`, parameters: { ...REQUEST.parameters, rows: index } };
    transitions.add(`r${index}`, current.evaluate(request), draft.evaluate(request));
  }
  const seconds = ((performance.now() - before) / 1000) * (100_000 / requests);
  report.note(
    `replay of 100,000 requests under two bundles of 100 rules, ten for each action: ${seconds.toFixed(1)} s${short ? ', reckoned from 10,000' : ''}`,
  );
}

function timed(work, times) {
  for (let index = 0; index < times / 10; index++) work();
  const taken = Array.from({ length: times }, () => {
    const before = performance.now();
    work();
    return performance.now() - before;
  }).sort((a, b) => a - b);
  return { p50: taken[Math.floor(times / 2)], p99: taken[Math.floor(times * 0.99)] };
}
