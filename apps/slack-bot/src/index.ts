export type { SlackBotConfig } from './config.js';
export { type BotLog, createSlackBot, type SlackBot, type SlackBotDeps } from './main.js';
