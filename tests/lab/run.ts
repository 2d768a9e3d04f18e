import { needs } from '@countersign/dev-env/needs';
import { parseArgs } from 'node:util';
import { runLab } from './lab.js';

const USAGE = `Usage: npm run lab -- [options]
  --seconds N     how long faults come; default 60
  --requests N    how many requests go their ways; default 400
  --connections N how many clients at a time; default 16
  --seed N        which faults when; default: another one each time
  --no-redis      the queue on PostgreSQL`;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    requests: { type: 'string', default: '400' },
    connections: { type: 'string', default: '16' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    'no-redis': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const numbers = { seconds: Number(values.seconds), requests: Number(values.requests), connections: Number(values.connections), seed: Number(values.seed) };
if (values.help || Object.values(numbers).some((number) => !Number.isSafeInteger(number) || number < 1)) {
  process.stdout.write(`${USAGE}\n`);
  process.exit(values.help ? 0 : 1);
}
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const redisPath = values['no-redis'] ? undefined : needs('redis-server', 'the lab with Redis');
const result = await runLab({ ...numbers, redisPath, say });
for (const [title, counts] of [
  ['Faults', result.faults],
  ['Calls of clients', result.answers],
  ['What is there', result.counts],
] as const) {
  say(`\n${title}`);
  for (const [name, count] of Object.entries(counts).sort(([a], [b]) => a.localeCompare(b))) say(`  ${name.padEnd(40)} ${String(count).padStart(6)}`);
}
say(`\n${result.violations.length} violations (seed ${numbers.seed})`);
for (const violation of result.violations) say(`  ${violation}`);
process.exit(result.violations.length > 0 ? 1 : 0);
