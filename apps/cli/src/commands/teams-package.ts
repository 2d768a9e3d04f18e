import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { CliError, EXIT } from '../cli-error.js';
import { type Command, readArguments } from '../command.js';
import { filled } from '../home.js';
import { teamsPackage } from '../teams/app-package.js';
import { PACKAGE_VERSION } from '../teams/manifest.js';

const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export const teamsPackageCommand: Command = {
  name: 'teams package',
  summary: 'make the app package that Microsoft Teams is given',
  usage: `Usage: countersign teams package [--out FILE] [options]
  Writes a zip with manifest.json, its words in German, and icons. The same configuration gives the same bytes.
  --out FILE               default: countersign-teams.zip
  --app-id GUID            the application (client) id of the bot registration (default: MicrosoftAppId)
  --public-url URL         where people reach the service (default: PUBLIC_URL); https, for Teams opens no other links
  --website URL, --privacy URL, --terms URL
                           pages that Teams shows beside the app (default: the service itself)`,
  async run(args, terminal) {
    const { values } = readArguments(
      args,
      {
        out: { type: 'string', default: 'countersign-teams.zip' },
        'app-id': { type: 'string' },
        'public-url': { type: 'string' },
        website: { type: 'string' },
        privacy: { type: 'string' },
        terms: { type: 'string' },
      },
      0,
    );
    const appId = (values['app-id'] ?? filled(terminal.env['MicrosoftAppId']))?.toLowerCase();
    if (appId === undefined || !GUID.test(appId))
      throw new CliError('usage', 'Say which bot: --app-id GUID, or MicrosoftAppId, the application (client) id of the bot registration.');
    const publicUrl = httpsUrl('--public-url (or PUBLIC_URL)', values['public-url'] ?? filled(terminal.env['PUBLIC_URL']));
    if (publicUrl === undefined) throw new CliError('usage', 'Say where people reach the service: --public-url URL, or PUBLIC_URL.');
    const { website, privacy, terms } = values;
    const pages = Object.fromEntries(
      Object.entries({ website, privacy, terms }).flatMap(([name, url]) => {
        const page = httpsUrl(`--${name}`, url);
        return page === undefined ? [] : [[name, page]];
      }),
    );
    const bytes = await teamsPackage({ appId, publicUrl, pages });
    const file = path.resolve(terminal.cwd, values.out);
    await writeFile(file, bytes).catch((cause: unknown) => {
      throw new CliError('unusable', `${file} cannot be written.`, { cause });
    });
    terminal.out(
      `${file}: Countersign ${PACKAGE_VERSION} for the bot ${appId}, links to ${new URL(publicUrl).host} (${String(bytes.length)} bytes)\n` +
        'In Teams: Apps, Manage your apps, Upload an app; or in the Teams admin center: Manage apps, Upload new app (docs/teams.md).',
    );
    return EXIT.fine;
  },
};

/** A URL as Teams takes them. @throws CliError `usage` */
function httpsUrl(what: string, url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  if (!URL.canParse(url) || new URL(url).protocol !== 'https:') throw new CliError('usage', `${what} must be an https URL: Teams opens no other links.`);
  return url;
}
