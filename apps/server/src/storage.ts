import { migrate, openStore, type Store, startEmbeddedServer } from '@countersign/store';
import type { Config, Logger, Shutdown } from '@countersign/service';

export interface Storage {
  store: Store;
  /** For the queue on PostgreSQL. */
  appUrl: string;
}

/** Connections of one process; a held request keeps none. */
const CONNECTIONS = 16;

/** The database: the embedded server or DATABASE_URL, migrated, with the ports of core on it. */
export async function openStorage(config: Config, log: Logger, shutdown: Shutdown): Promise<Storage> {
  if (config.database.kind === 'embedded') {
    const server = await startEmbeddedServer({
      home: config.home,
      onFault: (error) => log.error({ err: error }, 'The embedded PostgreSQL ended; starting it again'),
    });
    shutdown.add('postgresql', () => server.stop());
    await migrate({ url: server.ownerUrl, appRole: 'countersign_app' });
    return { store: opened(server.appUrl, shutdown), appUrl: server.appUrl };
  }
  const appUrl = config.database.url.reveal();
  const migrateUrl = config.database.migrateUrl?.reveal();
  await migrate({ url: migrateUrl ?? appUrl, ...(migrateUrl === undefined ? {} : { appRole: roleOf(appUrl) }) });
  return { store: opened(appUrl, shutdown), appUrl };
}

function opened(url: string, shutdown: Shutdown): Store {
  const store = openStore({ url, connections: CONNECTIONS });
  shutdown.add('store', () => store.close());
  return store;
}

const roleOf = (url: string): string => decodeURIComponent(new URL(url).username);
