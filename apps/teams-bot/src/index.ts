export type { TeamsBotConfig } from './config.js';
export { createTeamsBot, type TeamsBot, type TeamsBotDeps } from './main.js';
