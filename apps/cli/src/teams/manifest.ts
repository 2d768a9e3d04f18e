import type { JsonObject } from '@countersign/contracts';

/** What a package for Teams is made for. */
export interface PackageFor {
  /** MicrosoftAppId: the bot's application id, which is the app's id too, so that a newer package replaces an older one. */
  appId: string;
  /** PUBLIC_URL. */
  publicUrl: string;
  /** Pages about whoever runs it; absent: those of the service. */
  pages?: { website?: string; privacy?: string; terms?: string };
}

/** Rises with each change of what is in the package: Teams takes a newer package only under a higher number. */
export const PACKAGE_VERSION = '1.0.0';

const SCHEMA = 'https://developer.microsoft.com/json-schemas/teams/v1.19';

/** The words that the bot knows, as Teams offers them while somebody writes. Titles are typed as they stand, so they are the same in every language. */
const COMMANDS = [
  { title: 'waiting', en: 'What waits for you', de: 'Was auf dich wartet' },
  { title: 'decided', en: 'What you decided lately', de: 'Was du zuletzt entschieden hast' },
  { title: 'away', en: 'Say who stands in: away until Friday, bob stands in', de: 'Vertretung nennen: away until Friday, bob stands in' },
  { title: 'back', en: 'You are there again', de: 'Du bist wieder da' },
  { title: 'who', en: 'Who may decide a request: who ar_…', de: 'Wer über eine Anfrage entscheiden darf: who ar_…' },
  { title: 'freeze', en: 'Stop an actor, a caller, an action or everything', de: 'Einen Akteur, einen Aufrufer, eine Aktion oder alles anhalten' },
  { title: 'freezes', en: 'What is stopped, and by whom', de: 'Was angehalten ist, und von wem' },
  { title: 'help', en: 'What you can say to Countersign', de: 'Was du Countersign sagen kannst' },
] as const;

/** Of a group or channel everybody reads along, so what is personal is not offered there. */
const SHARED: ReadonlySet<string> = new Set(['who', 'freeze', 'freezes', 'help']);
const LISTS = [
  { scopes: ['personal'], commands: COMMANDS },
  { scopes: ['team', 'groupChat'], commands: COMMANDS.filter(({ title }) => SHARED.has(title)) },
];

const EXTENSION = {
  en: { title: 'Waiting for me', description: 'Requests that wait for your decision', parameter: 'Search', about: 'Words of the request' },
  de: { title: 'Wartet auf mich', description: 'Anfragen, die auf deine Entscheidung warten', parameter: 'Suche', about: 'Wörter der Anfrage' },
};

const WORDS = {
  en: {
    short: 'Approve or deny what software is about to do',
    full:
      'Countersign makes software ask a person before it does something privileged. Pipelines and AI agents post what they are about to do; policy decides ' +
      'whether it needs people; approvers see all of it on a card and approve or deny here. The caller gets a signed outcome, and an append-only ledger keeps ' +
      'who decided what. Being in a conversation lets nobody decide: each press is checked against the directory and the policy in force.',
  },
  de: {
    short: 'Freigeben oder ablehnen, was Software gleich tun will',
    full:
      'Mit Countersign fragt Software einen Menschen, bevor sie etwas Heikles tut. Pipelines und KI-Agenten melden, was sie vorhaben; eine Richtlinie ' +
      'entscheidet, ob es Menschen braucht; Freigebende sehen alles auf einer Karte und geben hier frei oder lehnen ab. Der Aufrufer bekommt ein ' +
      'unterschriebenes Ergebnis, und ein Protokoll, aus dem nichts verschwindet, hält fest, wer was entschieden hat. Wer in einer Unterhaltung ist, darf ' +
      'deshalb noch nicht entscheiden: jeder Klick wird gegen das Verzeichnis und die geltende Richtlinie geprüft.',
  },
};

/** manifest.json. Source: Microsoft 365 app manifest, schema 1.19. */
export function teamsManifest({ appId, publicUrl, pages = {} }: PackageFor): JsonObject {
  const own = new URL(publicUrl).origin;
  return {
    $schema: `${SCHEMA}/MicrosoftTeams.schema.json`,
    manifestVersion: '1.19',
    version: PACKAGE_VERSION,
    id: appId,
    developer: {
      name: 'Countersign',
      websiteUrl: pages.website ?? own,
      privacyUrl: pages.privacy ?? pages.website ?? own,
      termsOfUseUrl: pages.terms ?? pages.website ?? own,
    },
    name: { short: 'Countersign', full: 'Countersign approvals' },
    description: { short: WORDS.en.short, full: WORDS.en.full },
    icons: { color: 'color.png', outline: 'outline.png' },
    accentColor: '#1F4E5F',
    localizationInfo: { defaultLanguageTag: 'en', additionalLanguages: [{ languageTag: 'de', file: 'de.json' }] },
    bots: [
      {
        botId: appId,
        scopes: ['personal', 'team', 'groupChat'],
        isNotificationOnly: false,
        supportsFiles: false,
        commandLists: LISTS.map(({ scopes, commands }) => ({ scopes, commands: commands.map(({ title, en }) => ({ title, description: en })) })),
      },
    ],
    composeExtensions: [
      {
        botId: appId,
        commands: [
          {
            id: 'waiting',
            type: 'query',
            title: EXTENSION.en.title,
            description: EXTENSION.en.description,
            initialRun: true,
            context: ['compose', 'commandBox'],
            parameters: [{ name: 'search', title: EXTENSION.en.parameter, description: EXTENSION.en.about, inputType: 'text' }],
          },
        ],
      },
    ],
    // Who wrote to the bot, and members of a team in which it is. Nothing of Graph is asked for, so no webApplicationInfo.
    permissions: ['identity', 'messageTeamMembers'],
    validDomains: [new URL(publicUrl).host],
    defaultInstallScope: 'personal',
    defaultGroupCapability: { team: 'bot', groupchat: 'bot' },
  };
}

/** de.json: the same words in German, by where they stand in the manifest. */
export function germanWords(): JsonObject {
  return {
    $schema: `${SCHEMA}/MicrosoftTeams.Localization.schema.json`,
    'name.short': 'Countersign',
    'name.full': 'Countersign-Freigaben',
    'description.short': WORDS.de.short,
    'description.full': WORDS.de.full,
    ...Object.fromEntries(
      LISTS.flatMap(({ commands }, list) => commands.map(({ de }, at) => [`bots[0].commandLists[${String(list)}].commands[${String(at)}].description`, de])),
    ),
    'composeExtensions[0].commands[0].title': EXTENSION.de.title,
    'composeExtensions[0].commands[0].description': EXTENSION.de.description,
    'composeExtensions[0].commands[0].parameters[0].title': EXTENSION.de.parameter,
    'composeExtensions[0].commands[0].parameters[0].description': EXTENSION.de.about,
  };
}
