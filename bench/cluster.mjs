/** Ways into the PostgreSQL of a running home, past the product: for baselines, statistics and seeding. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';

export function clusterOf(home) {
  const { port, superuser_password, app_password } = JSON.parse(readFileSync(path.join(home, 'postgres/credentials.json'), 'utf8'));
  const url = (user, password, database) => `postgresql://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;
  return {
    port,
    appPassword: app_password,
    appUrl: (database) => url('countersign_app', app_password, database),
    /** Connects as the superuser; end the client. */
    async admin(database) {
      const client = new pg.Client({ connectionString: url('postgres', superuser_password, database) });
      // When a run fails, its servers end before this connection does.
      client.on('error', () => {});
      await client.connect();
      return client;
    },
  };
}
