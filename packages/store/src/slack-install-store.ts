import type { LeafRecord, SlackInstallation, SlackInstallStore } from '@countersign/core/ports';
import { leafMembers } from './commits.js';
import { type Database, Values } from './database.js';
import { gated } from './identity-store.js';
import { instant } from './rows.js';

/** Where the Slack app was installed by OAuth, and the links that lead there. */
export function slackInstallStore(database: Database): SlackInstallStore {
  return {
    list: async (tenant) =>
      (
        await database.run<InstallationRow>({
          name: 'slack-installations',
          text: 'SELECT * FROM slack_installations WHERE tenant = $1 ORDER BY id',
          values: [tenant],
        })
      ).map(({ sealed_token, installed_at, ...row }) => ({ ...row, sealed_token: new Uint8Array(sealed_token), installed_at: instant(installed_at) })),
    install: (installation, leaf) => install(database, installation, leaf),
    uninstall: (tenant, id, leaf) => {
      const values = new Values();
      const gate = `DELETE FROM slack_installations WHERE tenant = ${values.add(tenant, 'text')} AND id = ${values.add(id, 'text')} RETURNING tenant`;
      return gated(database, 'slack-uninstall', values, tenant, gate, leaf);
    },
    insertLink: async ({ tenant, hash, made_by, expires_at }) => {
      await database.run({
        name: 'slack-link',
        text: `WITH gone AS (DELETE FROM slack_install_links WHERE tenant = $1 AND expires_at < clock_timestamp() - interval '1 day')
          INSERT INTO slack_install_links (tenant, hash, made_by, created_at, expires_at) VALUES ($1, $2, $3, clock_timestamp(), $4) ON CONFLICT DO NOTHING`,
        values: [tenant, hash, made_by, expires_at],
      });
    },
    startLink: async (tenant, hash, stateHash) =>
      (
        await database.run<{ made_by: string }>({
          name: 'slack-link-start',
          text: `UPDATE slack_install_links SET state_hash = $3 WHERE tenant = $1 AND hash = $2 AND ${LIVE} RETURNING made_by`,
          values: [tenant, hash, stateHash],
        })
      ).length > 0,
    spendLink: async (tenant, stateHash) => {
      // Not tried again: spent by a try whose answer got lost, it is spent, and the administrator makes another.
      const [row] = await database.once<{ made_by: string }>({
        name: 'slack-link-spend',
        text: `UPDATE slack_install_links SET spent_at = clock_timestamp() WHERE tenant = $1 AND state_hash = $2 AND ${LIVE} RETURNING made_by`,
        values: [tenant, stateHash],
      });
      return row ?? null;
    },
  };
}

const LIVE = 'spent_at IS NULL AND expires_at > clock_timestamp()';

type InstallationRow = Omit<SlackInstallation, 'sealed_token' | 'installed_at'> & { sealed_token: Buffer; installed_at: Date };

const COLUMNS = [
  ['team_id', 'text'],
  ['team_name', 'text'],
  ['enterprise_id', 'text'],
  ['enterprise_name', 'text'],
  ['enterprise_install', 'bool'],
  ['app_id', 'text'],
  ['bot_id', 'text'],
  ['bot_user_id', 'text'],
  ['scopes', 'text[]'],
  ['sealed_token', 'bytea'],
  ['token_digest', 'text'],
  ['installed_by', 'text'],
  ['installed_at', 'timestamptz'],
] as const;

async function install(database: Database, installation: SlackInstallation, leaf: LeafRecord): Promise<void> {
  const values = new Values();
  const tenant = values.add(installation.tenant, 'text');
  const id = values.add(installation.id, 'text');
  const given = COLUMNS.map(([column, type]) => values.add(installation[column], type));
  const names = COLUMNS.map(([column]) => column);
  const { members } = leafMembers(values, tenant, [leaf], 'gate');
  await database.run({
    name: 'slack-install',
    // Said twice, by a try whose answer got lost, it is the same installation and the same leaf.
    text: `WITH gate AS (INSERT INTO slack_installations (tenant, id, ${names.join(', ')}) VALUES (${[tenant, id, ...given].join(', ')})
        ON CONFLICT (tenant, id) DO UPDATE SET ${names.map((column) => `${column} = excluded.${column}`).join(', ')}
          WHERE slack_installations.sealed_token <> excluded.sealed_token RETURNING tenant)
      ${members.map((member) => `, ${member}`).join('\n')} SELECT 1`,
    values: values.values,
  });
}
