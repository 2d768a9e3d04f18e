import { readFile } from 'node:fs/promises';
import { type ChatWorld, createChatWorld, createOnCallSource, OPSGENIE_API_URL, PAGERDUTY_API_URL } from '@countersign/chat';
import { createDecisions, type Decisions } from '@countersign/decisions';
import { createCloudEventsTransport, createDeliverer, createWebhookTransport, type Transport } from '@countersign/delivery';
import { asOfNow, deliveryLeaf, endpointTarget, expire, fireTimer, makeDigests, recordedBatches, recordedCards } from '@countersign/core/flow';
import { maskText } from '@countersign/core/masking';
import type { Announcer, ClaimedDelivery, OnCallSource } from '@countersign/core/ports';
import { openWebhookSecrets } from '@countersign/identity';
import type { Config, Logger, Metrics, Shutdown } from '@countersign/service';
import type { SlackBot } from '@countersign/slack-bot';
import type { TeamsBot } from '@countersign/teams-bot';
import type { Wakeups } from '@countersign/queue';
import { keepVoiding } from './callers.js';
import { rewrapInTheBackground } from './rewrapping.js';
import { settleControl } from './control.js';
import { StartError, TENANT, type World } from './world.js';

/** What a role is put together from. */
export interface Parts {
  config: Config;
  world: World;
  announcer: Announcer;
  wakeups: Wakeups;
  log: Logger;
  metrics: Metrics;
  shutdown: Shutdown;
  notice: string | null;
}

/** How many deliveries one claim takes. */
const CLAIM = 64;
/** How often a bot looks by itself whether cards are out of date. */
const LOOK_MS = 5000;

/** The role that expires, delivers and sequences. */
export function startDecisions({ config, world, announcer, wakeups, log, metrics, shutdown }: Parts): Decisions {
  const { store, flow, clock, sealer, keyring } = world;
  const posting = {
    policy: world.callbacks,
    signer: { sign: (bytes: Uint8Array) => keyring.signer('outcome').sign(bytes) },
    now: () => Date.parse(clock.now()),
  };
  /** By how the stored bytes are written. */
  const transports = { standard: createWebhookTransport(posting), cloudevents: createCloudEventsTransport(posting) };
  const attempts = metrics.counter('delivery_attempts_total', 'Callback attempts by what came of them', ['result']);
  const seconds = metrics.histogram('delivery_attempt_seconds', 'Time of a callback attempt', [0.005, 0.02, 0.1, 0.5, 2, 5, 15]);
  const deliverer = createDeliverer({
    store: store.deliveries,
    transport: transports.standard,
    // A redriven delivery has the bytes of the first one, sealed in its place.
    open: (delivery) => sealer.open({ tenant: delivery.tenant, table: 'deliveries', row: delivery.message_id, column: 'sealed_body' }, delivery.sealed_body),
    targetOf: (delivery) => targetOf(world, delivery, transports[delivery.format ?? 'standard']),
    // A test event tells of no request: it is no fact for the ledger.
    leafOf: (delivery, { result, status, next }) =>
      delivery.event === 'endpoint.tested' ? null : deliveryLeaf(flow, delivery, { result, status, next: next.kind === 'retry' ? 'retry' : next.state }),
    maskPreview: (text) => maskText(text, { paths: [], key: flow.entropy.bytes(32) }).masked,
    ended(end) {
      // Its place is free, and its endpoint's next event may be due.
      if (end !== 'released') decisions.wake('deliveries');
    },
    clock,
    random: Math.random,
    log,
    metrics: {
      attempted(result, durationMs) {
        attempts.inc({ result });
        seconds.observe(durationMs / 1000);
      },
    },
  });
  const faults = metrics.counter('decisions_faults_total', 'Faults of the decisions role by task', ['task']);
  const waiting = metrics.gauge('backlog', 'What waits, as the last sweep saw it', ['what']);
  const platforms = new Set<string>();
  const decisions = createDecisions({
    requests: store.requests,
    ledger: store.ledger,
    sweep: store.sweep,
    expire: (target) => expire(flow, target),
    timers: store.timers,
    async fire(timer) {
      if (await fireTimer({ ...flow, timers: store.timers }, timer)) world.waiters.notify(timer.request_id);
    },
    async deliver() {
      const ends = await deliverer.runDue(CLAIM);
      if (ends.length > 0) announcer.announce('decisions');
      return { full: ends.length === CLAIM, later: ends.some((end) => end === 'retry' || end === 'released' || end === 'unknown') };
    },
    async stopDelivering() {
      await deliverer.stop(AbortSignal.timeout(5000));
      await Promise.all(Object.values(transports).map((transport) => transport.close()));
    },
    settleControl: () =>
      settleControl(world, config, (error) => {
        faults.inc({ task: 'control' });
        log.error({ err: error, task: 'control' }, 'Work could not be done; it is tried again');
      }),
    makeDigests: async () => makeDigests({ ...store, ...flow, activePolicy: store.policies }, TENANT, await store.sweep.now()),
    checkpointSigner: () => keyring.signer('checkpoint'),
    origin: (tenant) => ledgerOrigin(config, tenant),
    announce: (topic) => announcer.announce(topic),
    onFault({ task, error }) {
      faults.inc({ task });
      log.error({ err: error, task }, 'Work could not be done; it is tried again');
    },
    onBacklog(backlog) {
      waiting.set({ what: 'due_requests' }, backlog.due_requests);
      waiting.set({ what: 'due_timers' }, backlog.due_timers);
      waiting.set({ what: 'due_deliveries' }, backlog.due_deliveries);
      waiting.set({ what: 'unplaced_leaves' }, backlog.unplaced_leaves);
      for (const what of ['due_cards', 'due_notices'] as const) {
        for (const platform of Object.keys(backlog[what])) platforms.add(`${what}_${platform}`);
        // A platform that has nothing due any more is not named.
        for (const name of platforms) if (name.startsWith(what)) waiting.set({ what: name }, backlog[what][name.slice(what.length + 1)] ?? 0);
      }
    },
  });
  wakeups.on('deliveries', () => decisions.wake('deliveries'));
  wakeups.on('decisions', () => decisions.wake('decisions'));
  decisions.start();
  shutdown.add('decisions', () => decisions.stop());
  keepVoiding({ world, log, shutdown });
  rewrapInTheBackground({ world, log, shutdown });
  return decisions;
}

/** The log's name in its checkpoints: the service's address without the scheme, and the tenant (C2SP: a schema-less URL). */
export function ledgerOrigin(config: Config, tenant: string): string {
  return `${config.http.publicUrl.replace(/^https?:\/\//, '')}/ledger/${tenant}`;
}

async function targetOf(world: World, delivery: ClaimedDelivery, transport: Transport): ReturnType<Parameters<typeof createDeliverer>[0]['targetOf']> {
  const { store, sealer } = world;
  if (delivery.target.kind === 'endpoint') {
    const found = await endpointTarget({ endpoints: store.endpoints, sealer }, delivery.tenant, delivery.target.endpoint_id);
    return found.kind === 'target' ? { ...found, transport } : found;
  }
  const { tenant, api_key_id: id, sealed_webhook_secret, sealed_previous_webhook_secret = null } = delivery;
  if (sealed_webhook_secret === null) return { kind: 'unknown', detail: 'the API key that named the address does not exist any more' };
  return {
    kind: 'target',
    target: { url: delivery.target.url, hmacSecrets: await openWebhookSecrets(sealer, { tenant, id, sealed_webhook_secret, sealed_previous_webhook_secret }) },
  };
}

/** What every chat platform of this process stands on. */
function chatWorld({ config, world, log, notice }: Parts): ChatWorld {
  const { flow, store } = world;
  return createChatWorld({
    tenant: TENANT,
    publicUrl: config.http.publicUrl,
    notice,
    flow,
    store: { ...store, requests: flow.requests, cards: recordedCards(store.cards, flow), batches: recordedBatches(store.batches, flow) },
    requests: {
      // Cards ask for what is needed by the policy in force.
      async state(tenant: string, id: string) {
        const state = await flow.requests.state(tenant, id);
        return state === null ? null : asOfNow(flow, state);
      },
    },
    freezeAnnouncer: {
      announce(topic) {
        flow.announcer.announce(topic);
        // Whoever waits for a request that is held now, or no longer, is answered.
        world.waiters.notify(null);
      },
    },
    onCall: onCallOf(config, world),
    cooldownSeconds: config.linkCooldownSeconds,
    linkMode: config.chatLink,
    log,
  });
}

/** Who is on call, where policy leaves that to another service. */
function onCallOf({ onCall: { pagerduty, opsgenie } }: Config, { flow }: World): OnCallSource {
  return createOnCallSource({
    pagerduty: pagerduty && { token: pagerduty.token.reveal(), apiUrl: pagerduty.apiUrl ?? PAGERDUTY_API_URL },
    opsgenie: opsgenie && { token: opsgenie.token.reveal(), apiUrl: opsgenie.apiUrl ?? OPSGENIE_API_URL },
    clock: flow.clock,
  });
}

/** Slack, where a bot token is given. Its SDK is loaded only here. */
export async function startSlack(parts: Parts): Promise<SlackBot | null> {
  const { slack, chatLink, readAbsence } = parts.config;
  if (slack === undefined) return null;
  const { createSlackBot } = await import('@countersign/slack-bot');
  const bot = createSlackBot({
    world: chatWorld(parts),
    config: {
      botToken: slack.botToken?.reveal() ?? null,
      oauth: slack.oauth === undefined ? null : { clientId: slack.oauth.clientId, clientSecret: slack.oauth.clientSecret.reveal() },
      signingSecret: slack.signingSecret?.reveal() ?? null,
      appToken: slack.appToken?.reveal() ?? null,
      apiUrl: slack.apiUrl ?? 'https://slack.com/api/',
      channel: slack.channel ?? null,
      linkMode: chatLink,
      readAbsence,
    },
  });
  run(parts, 'cards-slack', bot);
  return bot;
}

/** Teams, where an app id is given or its authentication is off. Its SDK is loaded only here. */
export async function startTeams(parts: Parts): Promise<TeamsBot | null> {
  const { teams, chatLink, quickstart, readAbsence } = parts.config;
  if (teams === undefined) return null;
  const { createTeamsBot } = await import('@countersign/teams-bot');
  const bot = createTeamsBot({
    world: chatWorld(parts),
    config: { ...teams, appPassword: teams.appPassword?.reveal(), linkMode: chatLink, readAbsence, openPlaces: quickstart && teams.auth === 'off' },
  });
  run(parts, 'cards-teams', bot);
  return bot;
}

/** Mail, where a mail server is given. Its SDK is loaded only here. */
export async function startMail(parts: Parts): Promise<void> {
  const { config, world } = parts;
  if (config.mail === undefined) return;
  const { smtpUrl, from, ca } = config.mail;
  const { createMail } = await import('@countersign/mail');
  const authority =
    ca === undefined
      ? undefined
      : await readFile(ca, 'utf8').catch((cause: unknown) => {
          throw new StartError(`The file ${ca} of SMTP_CA cannot be read.`, { cause });
        });
  const mail = createMail({
    config: { smtpUrl: smtpUrl.reveal(), from, ca: authority },
    world: chatWorld(parts),
    mails: world.store.mails,
    linkSigner: () => world.keyring.signer('link'),
  });
  run(parts, 'cards-email', mail);
}

/** Starts a bot without waiting for its platform, wakes it for cards, and lets it look by itself. */
function run(
  { wakeups, shutdown, log }: Parts,
  queue: 'cards-slack' | 'cards-teams' | 'cards-email',
  bot: { start(): Promise<void>; stop(): Promise<void>; work(): Promise<number> },
): void {
  wakeups.on(queue, async () => void (await bot.work()));
  void bot.start().catch((error: unknown) => log.error({ err: error, queue }, 'The bot could not start; cards wait'));
  const timer = setInterval(() => void bot.work(), LOOK_MS);
  shutdown.add(queue, async () => {
    clearInterval(timer);
    await bot.stop();
  });
}
