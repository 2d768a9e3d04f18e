/** Receives callbacks as a caller does: reads the body, checks the HMAC, answers 204. Says over IPC which came when. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const secret = Buffer.from((process.env.WEBHOOK_SECRET ?? '').replace(/^whsec_/, ''), 'base64');
let arrivals = [];

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const at = Number(process.hrtime.bigint()) / 1e6;
    const body = Buffer.concat(chunks);
    response.writeHead(204).end();
    const { data } = JSON.parse(body);
    if (arrivals.push({ id: data.action_request, at, signed: isSigned(request.headers, body) }) === 1) setImmediate(tell);
  });
});
server.listen(0, '127.0.0.1', 511, () => process.send({ port: server.address().port }));
process.on('disconnect', () => process.exit(0));

function tell() {
  process.send({ arrivals });
  arrivals = [];
}

/** Standard Webhooks' `v1`. */
function isSigned(headers, body) {
  const expected = createHmac('sha256', secret).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`).update(body).digest();
  return String(headers['webhook-signature'])
    .split(' ')
    .some((signature) => {
      const [scheme, mac = ''] = signature.split(',');
      const bytes = Buffer.from(mac, 'base64');
      return scheme === 'v1' && bytes.length === expected.length && timingSafeEqual(bytes, expected);
    });
}
