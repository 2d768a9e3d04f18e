import path from 'node:path';
import { auditPlaces, type PlacesAudit } from '../audit/audit-places.js';
import { auditRows, type RowsAudit } from '../audit/audit-rows.js';
import { type Finding, findingLine } from '../audit/finding.js';
import { CliError, EXIT, messageOf } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';
import { findDatabase, findMasterKeyring, homeOf } from '../home.js';
import { checkLog, type LogCheck, originOf } from '../ledger/check-log.js';
import { databaseSource } from '../ledger/database-source.js';
import { folderSource } from '../ledger/folder-source.js';
import { KnownLogs, knownLogsFile } from '../ledger/known-logs.js';
import { liveSource } from '../ledger/live-source.js';
import type { LogSource } from '../ledger/log-source.js';
import { openedKeys, type OpenedKeys } from '../ledger/opened-keys.js';
import { type TrustedKeys, trustedKeys } from '../ledger/trusted-keys.js';
import type { Terminal } from '../terminal.js';
import { openAuditSnapshot } from '@countersign/store';

const USAGE = `Usage: countersign ledger verify [FOLDER] [options]
  Recomputes the ledger: every entry, every hash tile, every checkpoint's signature and history; with a database also
  every row against its leaf. It reads one of
    FOLDER                 an export (countersign ledger export)
    --url URL              a running server; entries need --token, the personal token of an auditor or administrator
                           (a quickstart's own are found in its home)
    --database-url URL     a database; DATABASE_URL and the embedded one of a running home are found without it
  --vkey KEY|FILE          whose checkpoints to believe, several if need be. Without it: the database's keyring, opened with the
                           master key; else the key pinned when the log was first seen
  --known FILE             where keys are pinned (default: known-ledgers.json in the home, else in ~/.config/countersign)
  --home FOLDER            COUNTERSIGN_HOME (default .countersign)
  --tenant NAME            default: default
  --json                   the result as JSON
  Exit codes: 0 all is as it was logged, 1 something is not, 2 it could not be judged.`;

/** How many findings are printed as text. */
const MOST_LINES = 100;

export const ledgerVerify: Command = {
  name: 'ledger verify',
  summary: 'check the whole ledger, and the database against it',
  usage: USAGE,
  async run(args, terminal) {
    const { values, positionals } = readArguments(
      args,
      {
        url: { type: 'string' },
        token: { type: 'string' },
        'database-url': { type: 'string' },
        vkey: { type: 'string', multiple: true },
        known: { type: 'string' },
        home: { type: 'string' },
        tenant: { type: 'string', default: 'default' },
        json: { type: 'boolean', default: false },
      },
      1,
    );
    const [folder] = positionals;
    if ([folder, values.url, values['database-url']].filter((place) => place !== undefined).length > 1)
      throw new CliError('usage', 'Name one place: a folder, --url or --database-url.');
    const home = homeOf(terminal, values.home);
    const known = await KnownLogs.read(knownLogsFile(terminal, { known: values.known, home }));
    const common = { terminal, home, known, tenant: values.tenant, vkeys: values.vkey ?? [] };
    const result =
      folder !== undefined
        ? await verifyPublished(await folderSource(path.resolve(terminal.cwd, folder)), common)
        : values.url !== undefined
          ? await verifyPublished(
              await liveSource(terminal, { url: values.url, token: values.token, databaseUrl: undefined, home, tenant: values.tenant }),
              common,
            )
          : await verifyDatabase(common, values['database-url']);
    report(result, values.json, terminal);
    return result.ok ? EXIT.fine : EXIT.wrong;
  },
};

interface Common {
  terminal: Terminal;
  home: string;
  known: KnownLogs;
  tenant: string;
  vkeys: readonly string[];
}

interface Verification {
  ok: boolean;
  what: string;
  trusted: TrustedKeys | null;
  log: LogCheck | null;
  places: PlacesAudit | null;
  rows: RowsAudit | null;
  findings: Finding[];
  /** What was not checked, and why; each a sentence. */
  not_checked: string[];
}

/** A log as anybody can have it: an export, or what a server publishes. */
async function verifyPublished(source: LogSource, common: Common): Promise<Verification> {
  try {
    const { trusted, log } = await verifySource(source, common, null);
    const not_checked = ["The rows of the database, and that the leaves' commitments hold for what is stored beside them: that needs the database."];
    return { ok: log === null || log.ok, what: source.what, trusted, log, places: null, rows: null, findings: [], not_checked };
  } finally {
    await source.close();
  }
}

async function verifyDatabase(common: Common, databaseUrl: string | undefined): Promise<Verification> {
  const { terminal, home, tenant } = common;
  const database = await findDatabase(terminal, { databaseUrl, home });
  if (database === null) throw new CliError('unusable', `No server runs on ${home}. Start it, or name a folder, --url or --database-url.`);
  const master = await findMasterKeyring(terminal, home);
  const snapshot = await openAuditSnapshot(database.url);
  try {
    if (!(await snapshot.tenants()).includes(tenant)) throw new CliError('unusable', `There is no tenant ${JSON.stringify(tenant)} in ${database.what}.`);
    const keys = await openedKeys(snapshot.signingKeys, master);
    const source = await databaseSource(snapshot, tenant, database.what);
    const { trusted, log } = await verifySource(source, common, keys);
    const places = await auditPlaces(snapshot, tenant);
    const rows = await auditRows(snapshot, tenant, keys);
    const findings = [...keys.findings, ...places.findings, ...rows.findings];
    return {
      ok: (log === null || log.ok) && findings.length === 0,
      what: database.what,
      trusted,
      log,
      places,
      rows,
      findings,
      not_checked: uncovered(keys, rows),
    };
  } finally {
    await snapshot.close();
  }
}

/** Checks the log as such, and remembers what verified. Null where nothing was logged yet. */
async function verifySource(
  source: LogSource,
  { terminal, known, vkeys }: Common,
  keys: OpenedKeys | null,
): Promise<{ trusted: TrustedKeys | null; log: LogCheck | null }> {
  if (source.latest === null) return { trusted: null, log: null };
  const origin = originOf(source.latest);
  if (origin === null) return { trusted: null, log: { ok: false, fault: { kind: 'history', detail: 'the latest checkpoint is none' } } };
  const trusted = await trustedKeys(source, { given: vkeys, known, keyring: keys?.keyring ?? null, origin, cwd: terminal.cwd });
  const log = await checkLog(source, trusted);
  if (log.ok) {
    await known
      .remember(trusted.origin, { vkeys: trusted.vkeys, checkpoint: source.latest, at: new Date().toISOString() })
      .catch((error: unknown) => terminal.err(`countersign: ${messageOf(error)}`));
  }
  return { trusted, log };
}

function uncovered(keys: OpenedKeys, rows: RowsAudit): string[] {
  const always = 'Tables that are not held against the ledger: the hashes of API keys, tokens, sessions, cards, idempotency keys; and the column version.';
  if (keys.sealer === null) {
    return [
      `${keys.why_not} So the private parts were not compared: people, reasons, digests, parameters, and who may redeem until when. Only the leaves' open facts were.`,
      always,
    ];
  }
  return rows.unopened === 0 ? [always] : [`The private parts of ${rows.unopened} requests, which did not open.`, always];
}

function report(result: Verification, json: boolean, terminal: Terminal): void {
  const { log, places, rows, trusted, findings } = result;
  const summary = log?.ok === true ? log.log : null;
  const fault = log !== null && !log.ok ? log.fault : null;
  if (json) {
    const { ok, what, not_checked } = result;
    terminal.out(
      JSON.stringify(
        {
          ok,
          what,
          origin: trusted?.origin ?? null,
          vkeys: trusted?.vkeys ?? [],
          key_from: trusted?.why ?? null,
          log: summary,
          fault,
          waiting: places?.waiting ?? null,
          rows: rows?.rows ?? null,
          findings,
          not_checked,
        },
        null,
        2,
      ),
    );
    return;
  }
  const line = (name: string, text: string): void => terminal.out(`  ${name.padEnd(12)} ${text}`);
  terminal.out(`Ledger of ${result.what}`);
  if (trusted === null) line('log', 'nothing was logged yet');
  else {
    line('log', trusted.origin);
    line('key', `${trusted.vkeys.join(', ')} (${trusted.why})`);
  }
  if (summary !== null) {
    line('entries', `${summary.size}, each hashed anew`);
    line('tiles', `${summary.tiles}, each compared`);
    line('checkpoints', `${summary.checkpoints}, signed and of one history; the last states root ${summary.root}`);
    if (trusted?.remembered !== null) line('', 'and it has grown from what was verified here before');
  }
  if (rows !== null)
    line(
      'rows',
      `${Object.entries(rows.rows)
        .map(([table, count]) => `${table} ${count}`)
        .join(', ')}: held against their leaves`,
    );
  if (places !== null && places.waiting > 0) line('waiting', `${places.waiting} leaves have no place yet; they are committed, and no checkpoint covers them`);
  for (const text of result.not_checked) line('not checked', text);
  if (result.ok) return terminal.out('OK: all is as it was logged.');
  const lines = [...(fault === null ? [] : [faultLine(fault)]), ...findings.map(findingLine)];
  terminal.out(`WRONG: ${lines.length === 1 ? 'one thing is' : `${lines.length} things are`} not as it was logged.`);
  for (const text of lines.slice(0, MOST_LINES)) terminal.out(`  ${text}`);
  if (lines.length > MOST_LINES) terminal.out(`  and ${lines.length - MOST_LINES} more; --json has all`);
}

function faultLine(fault: Exclude<LogCheck, { ok: true }>['fault']): string {
  switch (fault.kind) {
    case 'entry':
      return `entry ${fault.index}, ${fault.reason}: ${fault.detail}`;
    case 'tile':
      return `${fault.path}, ${fault.reason}: ${fault.detail}`;
    case 'checkpoint':
      return `checkpoint ${fault.size === null ? `number ${fault.ordinal}` : `of ${fault.size} entries`}, ${fault.reason}: ${fault.detail}`;
    case 'history':
      return fault.detail;
  }
}
