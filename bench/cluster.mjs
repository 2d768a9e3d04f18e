/** Ways into the PostgreSQL of a running home, past the product: for baselines, statistics and seeding. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';

export function clusterOf(home) {
  const { port, superuser_password, app_password } = JSON.parse(readFileSync(path.join(home, 'postgres/credentials.json'), 'utf8'));
  const url = (user, password, database) => `postgresql://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`;
  return {
    port,
    appPassword: app_password,
    appUrl: (database) => url('countersign_app', app_password, database),
    /** CPU time of the server's processes so far, in milliseconds; null where there is no /proc. */
    cpuMs: () => processesCpuMs(path.join(home, 'postgres/data/postmaster.pid')),
    /** Sends a signal to every process of the server; nothing where there is no /proc. */
    signal(name) {
      for (const pid of processesOf(path.join(home, 'postgres/data/postmaster.pid'))) process.kill(pid, name);
    },
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

/** The postmaster, its processes and those of them that have ended (proc(5): utime, stime, cutime, cstime in ticks of 10 ms). */
function processesCpuMs(pidFile) {
  if (process.platform !== 'linux') return null;
  const postmaster = Number.parseInt(readFileSync(pidFile, 'utf8'), 10);
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const stat = statOf(pid);
    if (stat === null || (Number(pid) !== postmaster && stat.parent !== postmaster)) continue;
    ticks += stat.own + (Number(pid) === postmaster ? stat.children : 0);
  }
  return ticks * 10;
}

/** The postmaster and its processes. */
function processesOf(pidFile) {
  if (process.platform !== 'linux') return [];
  const postmaster = Number.parseInt(readFileSync(pidFile, 'utf8'), 10);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && (Number(name) === postmaster || statOf(name)?.parent === postmaster))
    .map(Number);
}

function statOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    return { parent: fields[1], own: fields[11] + fields[12], children: fields[13] + fields[14] };
  } catch {
    // It ended meanwhile.
    return null;
  }
}
