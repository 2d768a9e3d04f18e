import { run } from './run.js';
import { processTerminal } from './terminal.js';

// A reader that goes away (`countersign … | head`) ends the writing, not the command, with a fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
process.exitCode = await run(process.argv.slice(2), processTerminal());
