import type { Card } from '@countersign/contracts';
import { useState } from 'react';
import { Deadline, Moment } from './moments.js';

/** The card: everything that the request says, nothing cut. All text is plain text to React: no markup of a request runs. */
export function CardView({ card, everything: open = null, onEverything }: { card: Card; everything?: boolean | null; onEverything?: (open: boolean) => void }) {
  const [own, setOwn] = useState(false);
  const everything = open ?? own;
  const setEverything = (shown: boolean): void => {
    setOwn(shown);
    onEverything?.(shown);
  };
  return (
    <article className={`card ${card.status}`} aria-labelledby="headline">
      {card.notice === null ? null : <p className="standing">{card.notice}</p>}
      <p className="state">
        <span className={`badge ${card.status}`}>{card.status}</span>
        {card.open ? <Deadline at={card.expires_at} /> : null}
      </p>
      <h1 id="headline">{card.headline}</h1>
      {card.outcome === null ? null : (
        <p className={`outcome ${card.outcome.status}`}>
          {card.outcome.text}{' '}
          <small>
            <Moment at={card.outcome.at} />
          </small>
        </p>
      )}
      {card.warnings.map((warning) => (
        <p className="warning" key={warning}>
          {warning}
        </p>
      ))}
      {card.reason === null ? null : (
        <Part title="Why">
          <p className="text">{card.reason}</p>
        </Part>
      )}
      <Part title="What will run">
        {card.parameters.length === 0 ? (
          <p className="quiet">No parameters.</p>
        ) : (
          <dl className="parameters">
            {card.parameters.map(({ path, value }) => (
              <div key={path}>
                <dt>{path}</dt>
                <dd>
                  <pre>{value}</pre>
                </dd>
              </div>
            ))}
          </dl>
        )}
        {card.hidden === null ? null : <p className="hidden-values">{card.hidden}</p>}
      </Part>
      {card.diff === null ? null : (
        <Part title="What changes">
          <pre className="diff">
            {card.diff.split('\n').map((line, index) => (
              <DiffLine key={index} line={line} />
            ))}
          </pre>
        </Part>
      )}
      <Part title="Who and where">
        <dl className="facts">
          {card.facts.map(({ label, value }) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </Part>
      {card.links.length === 0 ? null : (
        <Part title="Links that the caller gave">
          <ul className="links">
            {card.links.map(({ title, url, host }) => (
              <li key={`${title} ${url}`}>
                {title} –{' '}
                {url === '' ? (
                  <span className="quiet">no usable address</span>
                ) : (
                  <a href={url} target="_blank" rel="noopener noreferrer nofollow">
                    {host}
                  </a>
                )}
              </li>
            ))}
          </ul>
        </Part>
      )}
      <Part title="Policy">
        <p className="text">
          {card.rule.ids.length === 0 ? (
            'Default of the policy'
          ) : (
            <>
              Rule <strong>{card.rule.ids.join(', ')}</strong>
            </>
          )}
          {card.rule.explanation === '' ? null : `: ${card.rule.explanation}`} <span className="quiet">({card.rule.policy})</span>
        </p>
        {card.stages.map((stage) => (
          <p className="stage" key={stage.name}>
            {card.stages.length > 1 ? <strong>{stage.name}: </strong> : null}
            {stage.groups.map(({ group, quorum, approved }) => (
              <span className={approved >= quorum ? 'group met' : 'group'} key={group}>
                {group} {approved}/{quorum}
              </span>
            ))}
            {card.stages.length > 1 && stage.open ? <span className="quiet"> open now</span> : null}
          </p>
        ))}
        {card.waiting_for === null ? null : <p>Still needed: {card.waiting_for}.</p>}
        <p className="digest">
          Policy <code title={card.rule.policy_digest}>{card.rule.policy_digest.slice(7, 19)}</code> · Action{' '}
          <code title={card.action_digest}>{card.action_digest.slice(7, 19)}</code>
        </p>
      </Part>
      {card.decisions.length === 0 ? null : (
        <Part title="Decisions">
          <ul className="decisions">
            {card.decisions.map((decision) => (
              <li key={`${decision.name} ${decision.at}`}>
                <strong>{decision.name}</strong> {decision.verdict === 'approve' ? 'approved' : 'denied'} on {decision.via} <Moment at={decision.at} />
                {decision.reason === null ? null : <q>{decision.reason}</q>}
              </li>
            ))}
          </ul>
        </Part>
      )}
      <p>
        <button type="button" aria-expanded={everything} onClick={() => setEverything(!everything)}>
          {everything ? 'Show less' : 'Show everything'}
        </button>
      </p>
      {everything ? <pre className="everything">{card.everything}</pre> : null}
    </article>
  );
}

function Part({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <section>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function DiffLine({ line }: { line: string }) {
  const kind = line.startsWith('+') ? 'added' : line.startsWith('-') ? 'removed' : '';
  return (
    <span className={kind}>
      {line}
      {'\n'}
    </span>
  );
}
