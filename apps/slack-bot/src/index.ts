export { readSlackConfig, type SlackBotConfig } from './config.js';
export { type BotLog, createSlackBot, REQUIRED_SCOPES, type SlackBot, type SlackBotDeps } from './main.js';
export { previewCard } from './render.js';
