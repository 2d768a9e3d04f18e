export type { SlackBotConfig } from './config.js';
export { createSlackBot, type SlackBot, type SlackBotDeps } from './main.js';
