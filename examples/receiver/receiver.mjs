/**
 * The smallest caller's side: receives callbacks, verifies them with the official `standardwebhooks` package, prints them.
 *
 *   npm run receiver                       takes the secret from the quickstart's file
 *   WEBHOOK_SECRET=whsec_… PORT=8090 npm run receiver
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { Webhook } from 'standardwebhooks';

const port = Number(process.env.PORT ?? 8090);
const home = process.env.COUNTERSIGN_HOME ?? path.resolve(import.meta.dirname, '../../.countersign');

const webhook = new Webhook(process.env.WEBHOOK_SECRET ?? quickstartSecret());

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    // The signature is over these very bytes: verify before you parse.
    const body = Buffer.concat(chunks).toString('utf8');
    let outcome;
    try {
      outcome = webhook.verify(body, request.headers);
    } catch (error) {
      console.error(`refused: ${error.message}`);
      response.writeHead(401).end();
      return;
    }
    response.writeHead(204).end();
    console.log(describe(outcome));
  });
});
server.listen(port, '127.0.0.1', () => console.log(`Waiting for signed outcomes on http://127.0.0.1:${server.address().port}/`));
server.on('error', (error) => {
  console.error(`The receiver cannot listen: ${error.message}`);
  process.exit(1);
});

/** An outcome in a few lines; the same event may come twice, so a real receiver remembers `webhook-id`. */
function describe({ type, data }) {
  const deciders = data.decisions.map(
    ({ person, verdict, reason, via }) => `${person.name} <${person.email}> ${verdict}d on ${via}${reason === null ? '' : `: "${reason}"`}`,
  );
  return [
    `\n${type}: ${data.action_request} is ${data.status} (verified)`,
    ...deciders.map((line) => `  ${line}`),
    `  action ${data.action_digest}`,
    `  policy ${data.policy_digest}`,
    ...(data.grant === undefined ? [] : [`  grant  ${data.grant.slice(0, 24)}… (redeem it where the action runs)`]),
  ].join('\n');
}

function quickstartSecret() {
  try {
    return JSON.parse(readFileSync(path.join(home, 'quickstart.json'), 'utf8')).webhook_secret;
  } catch {
    console.error('No secret: set WEBHOOK_SECRET, or start Countersign first (npm start writes .countersign/quickstart.json).');
    process.exit(1);
  }
}
