export type { TeamsBotConfig } from './config.js';
export { type BotLog, createTeamsBot, type TeamsBot, type TeamsBotDeps } from './main.js';
