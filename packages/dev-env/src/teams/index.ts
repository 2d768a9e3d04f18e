/** Teams behind the Bot Framework on loopback for tests; see {@link startFakeBotFramework}. */
export {
  startFakeBotFramework,
  type BotConfiguration,
  type BotCredentialsFactory,
  type FakeBotFramework,
  type FakeBotFrameworkOptions,
} from './fake-bot-framework.js';
export { cardComplaints, cardText, findAction } from './adaptive-card.js';
export type { TokenForgery } from './channel-tokens.js';
export { CARD_BYTES_ADVISED, MESSAGE_BYTES } from './connector.js';
export type { CardPress, CardPressed, DeliveryOptions, DialogPress, DialogShown, ExtensionShown, TeamsClient } from './teams-client.js';
export type { Shown, TeamsDelivery } from './invoke-answers.js';
export type { NewTeamsConversation, NewTeamsPerson, StoredActivity, TeamsConversation, TeamsPerson } from './tenancy.js';
