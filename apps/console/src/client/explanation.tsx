import type { EvaluationExplanation } from '@countersign/contracts';
import { useCallback, useRef, useState } from 'react';
import { call } from './api.js';
import { Moment } from './moments.js';

type Rule = EvaluationExplanation['rules'][number];
type Condition = Rule['conditions'][number];
type Effect = EvaluationExplanation['effect'];

/** Why policy said what it said. It is computed when it is asked for, so it loads when it is unfolded. All values are plain text, masked as on the card. */
export function Explanation({ request }: { request: string }) {
  const [explanation, setExplanation] = useState<EvaluationExplanation | null | undefined>(undefined);
  const [problem, setProblem] = useState<string | null>(null);
  const asked = useRef(false);

  const load = useCallback(async () => {
    if (asked.current) return;
    asked.current = true;
    setProblem(null);
    try {
      setExplanation((await call<{ explanation: EvaluationExplanation | null }>('GET', `/v1/action-requests/${request}/explanation`)).explanation);
    } catch (error) {
      // Unfolding it again asks again.
      asked.current = false;
      setProblem((error as Error).message);
    }
  }, [request]);

  return (
    <details className="history explanation" onToggle={(event) => (event.currentTarget.open ? void load() : undefined)}>
      <summary>Why policy said so</summary>
      {problem === null ? null : (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {explanation === undefined ? (
        problem === null ? (
          <p className="quiet" role="status">
            Loading…
          </p>
        ) : null
      ) : explanation === null ? (
        <p className="quiet">No policy speaks of this request, or what it asked for was erased.</p>
      ) : (
        <Explained explanation={explanation} />
      )}
    </details>
  );
}

function Explained({ explanation: { effect, policy, at, resolved, rules, other_rules, beside, shadow } }: { explanation: EvaluationExplanation }) {
  const spoke = rules.filter((rule) => rule.result !== 'not_matched').sort((a, b) => Number(b.decided) - Number(a.decided));
  const silent = rules.filter((rule) => rule.result === 'not_matched');
  const labels = Object.entries(resolved.labels);
  return (
    <>
      <p>
        <strong>{effectWords[effect]}</strong> by {policy.map(({ name, version }) => `${name} ${version}`).join(' + ')}, when it was asked (<Moment at={at} />
        ).
      </p>
      <dl className="facts">
        <Fact label="Environment" value={resolved.environment ?? 'not given'} />
        <Fact label="Reversibility" value={resolved.reversibility} />
        {labels.length === 0 ? null : <Fact label="Labels" value={labels.map(([label, value]) => `${label}: ${value}`).join(', ')} />}
      </dl>
      {spoke.map((rule) => (
        <RuleLine key={rule.rule} rule={rule} />
      ))}
      {beside.map((say, index) => (
        <p className="beside" key={index}>
          <EffectBadge effect={say.effect} /> {say.text}
          {say.decided ? <strong> This decided.</strong> : null}
        </p>
      ))}
      {shadow.rules.length === 0 ? null : (
        <p className="beside">
          Were <strong>{shadow.rules.join(', ')}</strong> enforced too: {otherwiseWords[shadow.effect]}.
        </p>
      )}
      {silent.length === 0 ? null : (
        <details>
          <summary>{silent.length === 1 ? '1 rule for this action does not match' : `${silent.length} rules for this action do not match`}</summary>
          {silent.map((rule) => (
            <RuleLine key={rule.rule} rule={rule} />
          ))}
        </details>
      )}
      {other_rules === 0 ? null : <p className="quiet">{other_rules === 1 ? '1 rule is for other actions.' : `${other_rules} rules are for other actions.`}</p>}
    </>
  );
}

function RuleLine({ rule }: { rule: Rule }) {
  const { rule: id, effect, mode, result, decided, reason, conditions } = rule;
  return (
    <section className={decided ? 'rule decided' : 'rule'} aria-label={`Rule ${id}`}>
      <h3>
        <bdi>{id}</bdi> <EffectBadge effect={effect} /> {mode === 'shadow' ? <span className="badge">shadow</span> : null}
      </h3>
      <p>
        {mode === 'shadow' ? 'Tried and not enforced. ' : null}
        {resultWords[result]}
        {reason === undefined ? null : `: ${reason}`}.{decided ? <strong> This decided.</strong> : null}
      </p>
      {conditions.length === 0 ? null : (
        <ul>
          {conditions.map((condition, index) => (
            // The conditions of a rule keep their places, and may say the same.
            <ConditionLine key={index} condition={condition} />
          ))}
        </ul>
      )}
    </section>
  );
}

function ConditionLine({ condition: { role, of, condition, truth, values, otherwise } }: { condition: Condition }) {
  return (
    <li>
      <p>
        <span className={`truth ${truth}`}>{truthWords[truth]}</span> <span className="quiet">{of === undefined ? role : `${role} ${of}`}</span>{' '}
        <code>{condition}</code>
      </p>
      {values.length === 0 ? null : (
        <dl>
          {values.map(({ path, value, masked }) => (
            <div key={path}>
              <dt>{path}</dt>
              <dd>
                {value === null ? <span className="quiet">not there</span> : <bdi>{value}</bdi>}
                {masked === true ? <span className="quiet"> (hidden)</span> : null}
              </dd>
            </div>
          ))}
        </dl>
      )}
      {otherwise === undefined ? null : (
        <p className="otherwise">
          Were it {otherwise.truth}: {otherwiseWords[otherwise.effect]}.
        </p>
      )}
    </li>
  );
}

function Fact({ label, value }: { label: string; value: string }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function EffectBadge({ effect }: { effect: Effect }) {
  return <span className={`badge effect ${effect}`}>{effect}</span>;
}

const effectWords: Record<Effect, string> = { allow: 'Allowed', require: 'People are asked', deny: 'Denied' };
const otherwiseWords: Record<Effect, string> = { allow: 'it would be allowed', require: 'people would be asked', deny: 'it would be denied' };
const resultWords: Record<Rule['result'], string> = { matched: 'It matches', not_matched: 'It does not match', indeterminate: 'It could not be checked' };
const truthWords: Record<Condition['truth'], string> = { true: 'true', false: 'false', error: 'cannot be told' };
