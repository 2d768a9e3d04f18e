import { Component, lazy, type ReactNode, Suspense, useEffect, useState } from 'react';
import { call } from '../api.js';
import type { TeamsCard } from './teams-preview.js';
import type { SlackCard } from './slack-preview.js';

// Renderers that others wrote, loaded when somebody looks.
const SlackPreview = lazy(() => import('./slack-preview.js'));
const TeamsPreview = lazy(() => import('./teams-preview.js'));

const platforms = { slack: 'Slack', teams: 'Microsoft Teams' } as const;
type Platform = keyof typeof platforms;
type Shown = { platform: 'slack'; card: SlackCard } | { platform: 'teams'; card: TeamsCard };

/**
 * The card as each chat platform is sent it, drawn by renderers of the platforms' formats that are not ours: what the bots would post can be
 * seen before any account is connected. Its buttons do nothing here.
 */
export function ChatPreviews({ request, version }: { request: string; version: string }) {
  const [open, setOpen] = useState(false);
  const [platform, setPlatform] = useState<Platform>('slack');
  const [shown, setShown] = useState<Shown | null>(null);
  const [problem, setProblem] = useState<string | null>(null);

  // What came of the request since is another card: whoever shows this names it in `version`.
  const shows = `${platform}/${request}#${version}`;
  useEffect(() => {
    if (!open) return undefined;
    let wanted = true;
    const [address = ''] = shows.split('#');
    // The bots' own render code answers.
    call('GET', `/v1/previews/${address}`).then(
      (card) => {
        if (!wanted) return;
        setShown({ platform: address.split('/')[0], card } as Shown);
        setProblem(null);
      },
      (error: unknown) => {
        if (wanted) setProblem((error as Error).message);
      },
    );
    return () => {
      wanted = false;
    };
  }, [open, shows]);

  return (
    <details className="history previews" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>As Slack and Teams show it</summary>
      <div className="choices" role="tablist" aria-label="Platform">
        {(Object.keys(platforms) as Platform[]).map((name) => (
          <button type="button" role="tab" key={name} aria-selected={name === platform} onClick={() => setPlatform(name)}>
            {platforms[name]}
          </button>
        ))}
      </div>
      {problem === null ? null : (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {shown === null || shown.platform !== platform ? null : (
        <Guarded key={`${platform} ${version}`}>
          <Suspense fallback={<p className="quiet">Loading…</p>}>
            {shown.platform === 'slack' ? <SlackPreview card={shown.card} /> : <TeamsPreview card={shown.card} />}
          </Suspense>
        </Guarded>
      )}
      <p className="quiet">A preview: the buttons do nothing here, and each platform draws in its own way.</p>
    </details>
  );
}

/** A renderer that fails takes nothing else of the page with it. */
class Guarded extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };
  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }
  override render(): ReactNode {
    return this.state.failed ? <p className="problem">This preview could not be drawn.</p> : this.props.children;
  }
}
