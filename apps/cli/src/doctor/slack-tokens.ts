import { slackTokenContext } from '@countersign/core/flow';
import { fromUtf8 } from '@countersign/core/request';
import { EnvelopeSealer } from '@countersign/keys';
import type { Config } from '@countersign/service';
import { openStore } from '@countersign/store';
import { messageOf } from '../cli-error.js';
import { findDatabase, findMasterKeyring } from '../home.js';
import { TENANT } from '../on-database.js';
import type { Terminal } from '../terminal.js';
import { type Check, fail, ok, warn } from './check.js';
import type { SlackToken } from './slack.js';

/** The tokens of workspaces that were installed by OAuth, opened with the master key. */
export async function installedTokens(config: Config, terminal: Terminal): Promise<{ tokens: SlackToken[]; checks: Check[] }> {
  const name = 'Slack installations';
  const database = await findDatabase(terminal, {
    home: config.home,
    databaseUrl: config.database.kind === 'external' ? config.database.url.reveal() : undefined,
  }).catch(() => null);
  const master = await findMasterKeyring(terminal, config.home).catch(() => null);
  if (database === null || master === null)
    return {
      tokens: [],
      checks: [warn(name, 'were not looked at: that needs the database and the master key', 'Run doctor where the service runs, with its environment.')],
    };
  const store = openStore({ url: database.url, connections: 1 });
  try {
    const sealer = new EnvelopeSealer(master);
    const installed = await store.slackInstalls.list(TENANT);
    const tokens: SlackToken[] = [];
    const checks: Check[] = [];
    for (const one of installed) {
      const token = await sealer.open(slackTokenContext(one), one.sealed_token).then(fromUtf8, () => null);
      if (token === null)
        checks.push(fail(name, `the token of ${one.id} does not open with the master key`, 'Use the master key that it was sealed with, or install it again.'));
      else tokens.push({ label: one.id, token });
    }
    if (config.slack?.oauth !== undefined || installed.length > 0)
      checks.push(ok(name, installed.length === 0 ? 'none by OAuth' : installed.map(({ id, team_name }) => `${id} ${team_name ?? ''}`.trim()).join(', ')));
    return { tokens, checks };
  } catch (error) {
    return { tokens: [], checks: [fail(name, `could not be read: ${messageOf(error)}`, 'Start this release once; it migrates.')] };
  } finally {
    await store.close();
  }
}
