/**
 * A caller's process: guards one export under the key of CALLER_KEY, and appends to CALLER_LOG when it runs.
 * It says `asked <id>` once it has asked. With HOLD=redeem it stops right before it spends the grant, and says so, so that a test can kill it there;
 * with HOLD=run, right after.
 */
import { appendFileSync } from 'node:fs';
import { createClient } from '@countersign/client';

const { COUNTERSIGN_URL: url, COUNTERSIGN_API_KEY: apiKey, CALLER_KEY: key, CALLER_LOG: log, CALLER_ACTION: action, HOLD: hold } = process.env;
const say = (line) => process.stdout.write(`${line}\n`);
const never = () => new Promise(() => setInterval(() => undefined, 60_000));

const client = createClient({
  url,
  apiKey,
  fetch: async (input, init) => {
    const spends = String(input).endsWith('/v1/grants/redeem');
    if (spends && hold === 'redeem') {
      say('held');
      await never();
    }
    const response = await fetch(input, init);
    if (spends && hold === 'run') {
      await response.arrayBuffer();
      say('held');
      await never();
    }
    return response;
  },
});
try {
  const result = await client.guard(JSON.parse(action), ({ parameters }) => appendFileSync(log, `${JSON.stringify(parameters)}\n`), {
    key,
    timeoutSeconds: 60,
    onSubmitted: ({ id }) => say(`asked ${id}`),
  });
  say(`result ${result.kind}`);
} catch (error) {
  say(`fault ${error.code}`);
}
