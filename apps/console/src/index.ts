export { type ConsoleMount, createConsole } from './mount.js';
