/** A Slack on loopback for tests; see {@link startFakeSlack}. */
export { ALL_SCOPES, startFakeSlack, type FakeSlack, type FakeSlackOptions, type FakeWorkspace } from './fake-slack.js';
export { blockComplaints, MESSAGE_LIMIT, messageWeight, viewComplaints, visibleText } from './block-kit.js';
export type { Interaction, Press, SlackClient, SlashCommand, Submission } from './slack-client.js';
export type { Delivery, SigningOptions } from './signed-delivery.js';
export type { EphemeralMessage, NewSlackChannel, NewSlackUser, SlackChannel, SlackFile, SlackMessage, SlackUser, SlackView } from './workspace.js';
