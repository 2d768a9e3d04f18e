export type { MailConfig } from './config.js';
export { createMail, type MailBot, type MailDeps } from './main.js';
