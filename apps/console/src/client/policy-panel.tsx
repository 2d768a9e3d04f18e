import type { PolicyActivation, PolicySourceView } from '@countersign/contracts';
import { useCallback, useEffect, useState } from 'react';
import { call } from './api.js';
import { Moment } from './moments.js';

interface Status {
  in_force: PolicyActivation | null;
  sources: PolicySourceView[];
}

/** Which policy is in force since when and by whom, what is wrong with its source, and the way back. */
export function PolicyPanel({ act }: { act: (work: () => Promise<string>) => Promise<boolean> }) {
  const [status, setStatus] = useState<Status | null>(null);
  const [history, setHistory] = useState<PolicyActivation[]>([]);
  const load = useCallback(async () => {
    setStatus(await call<Status>('GET', '/v1/policies/status'));
    setHistory((await call<{ data: PolicyActivation[] }>('GET', '/v1/policies/history?limit=10')).data);
  }, []);
  useEffect(() => {
    // What could not be loaded is shown as nothing; the page's own notice tells of faults.
    load().catch(() => setStatus(null));
  }, [load]);
  const rollBack = () =>
    act(async () => {
      const { in_force } = await call<{ in_force: boolean }>('POST', '/v1/policies/rollback', {});
      await load();
      return in_force ? 'The policy before is in force again.' : 'It may loosen: it waits for the approval of somebody else.';
    });
  return (
    <>
      <h2>Policy</h2>
      {status?.in_force === null || status === null ? null : (
        <p>
          In force: <code>{status.in_force.policy_digest}</code>, since <Moment at={status.in_force.activated_at} />, {originText(status.in_force)}
        </p>
      )}
      {(status?.sources ?? [])
        .filter(({ failed_at }) => failed_at !== null)
        .map((source) => (
          <div key={source.source} className="problem" role="alert">
            <p>{source.source} cannot be used; what is in force stays.</p>
            <pre>
              {source.problems
                .map(({ file, line, column, message, hint }) => `${file}:${line}:${column}: ${message}${hint === undefined ? '' : ` (${hint})`}`)
                .join('\n')}
            </pre>
          </div>
        ))}
      <ul className="passkeys">
        {history.slice(1).map((one) => (
          <li key={`${one.activated_at} ${one.policy_digest}`}>
            <strong>{one.policy_digest.slice(0, 19)}…</strong>
            <small>
              from <Moment at={one.activated_at} />, {originText(one)}
            </small>
          </li>
        ))}
      </ul>
      {history[0]?.previous == null ? null : (
        <button type="button" onClick={() => void rollBack()}>
          Back to the policy before
        </button>
      )}
    </>
  );
}

function originText({ origin, activated_by }: PolicyActivation): string {
  switch (origin.kind) {
    case 'api':
    case 'rollback': {
      const approved = (origin.approved_by ?? []).map(({ name }) => name).join(' and ');
      return `by ${origin.person.name}${approved === '' ? '' : `, approved by ${approved}`}`;
    }
    case 'git':
      return `from git, commit ${origin.commit.slice(0, 12)}${origin.signer === undefined ? '' : `, signed by ${origin.signer}`}`;
    case 'file':
    case 'quickstart':
      return `from ${origin.path}`;
    case 'other':
      return `by ${activated_by}`;
  }
}
