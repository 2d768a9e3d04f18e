/**
 * Writes vectors.json, which the TypeScript and the Python client are both held against: `node packages/client/vectors/make.mjs`.
 * Signatures are made by node:crypto, not by our own code; keys are fixed, so that the file is the same each time. They guard nothing.
 */
import { createHash, createHmac, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';

const NOW = 1_795_000_000;
const ISSUER = 'https://countersign.example.com';
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const OTHER_SECRET = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;
const keyOf = (fill) =>
  createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, fill)]), format: 'der', type: 'pkcs8' });
const KEY = keyOf(1);
const FOREIGN_KEY = keyOf(2);
const jwkOf = (key) => {
  const { kty, crv, x } = createPublicKey(key).export({ format: 'jwk' });
  const kid = createHash('sha256').update(`{"crv":"${crv}","kty":"${kty}","x":"${x}"}`).digest('base64url');
  return { kty, crv, x, kid, use: 'sig', alg: 'EdDSA' };
};
const jwk = jwkOf(KEY);
const sha256 = (text) => `sha256:${createHash('sha256').update(text).digest('hex')}`;

/** JSON texts and their RFC 8785 form. `python`: what Python reads of it has another form there and is refused. */
const canonical = [
  ['{}', '{}'],
  ['[]', '[]'],
  ['null', 'null'],
  ['{"b":1,"a":[true,false,null]}', '{"a":[true,false,null],"b":1}'],
  [
    '{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew","1":"One","\\ud83d\\ude00":"Emoji","\\u0080":"Control","\\u00f6":"o"}',
    '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"o","€":"Euro Sign","😀":"Emoji","\ufb33":"Hebrew"}',
  ],
  ['"\\u0001\\u001f\\u007f\\u2028 \\/ \\" \\\\ \\b\\f\\n\\r\\t"', '"\\u0001\\u001f\u007f\u2028 / \\" \\\\ \\b\\f\\n\\r\\t"'],
  ['{"é":"e\\u0301"}', '{"é":"e\u0301"}'],
  ['[0,-1,9007199254740991,-9007199254740991]', '[0,-1,9007199254740991,-9007199254740991]'],
  ['[0.5,-0.25,3.14,123456.789,0.0001]', '[0.5,-0.25,3.14,123456.789,0.0001]'],
  ['1.0', '1', 'refused'],
  ['-0.0', '0', 'refused'],
  ['0.00001', '0.00001', 'refused'],
  ['1e-7', '1e-7', 'refused'],
  ['1e15', '1000000000000000', 'refused'],
].map(([json, text, python = 'same']) => ({ json, canonical: text, sha256: sha256(text), python }));

/** Nobody may write these. */
const notCanonical = ['"\\ud800"', '{"\\udc00":1}', '9007199254740993', '1e400', '-9007199254740992'];

const ACTION = {
  action: 'data.export',
  resource: { type: 'postgres_table', id: 'prod.customers', labels: { region: 'eu' } },
  parameters: { rows: 48211, format: 'csv', note: 'Größe 😀', nothing: null },
  actor: { type: 'agent', id: 'retrainer', on_behalf_of: { type: 'person', id: 'dana@example.com' } },
  environment: 'production',
};
const actions = [
  [
    ACTION,
    '{"action":"data.export","actor":{"id":"retrainer","on_behalf_of":{"id":"dana@example.com","type":"person"},"type":"agent"},"environment":"production","parameters":{"format":"csv","note":"Größe 😀","nothing":null,"rows":48211},"resource":{"id":"prod.customers","labels":{"region":"eu"},"type":"postgres_table"}}',
  ],
  [
    { action: 'iam.grant', resource: { type: 'role', id: 'admin' }, actor: { type: 'ci', id: 'deploy' } },
    '{"action":"iam.grant","actor":{"id":"deploy","type":"ci"},"resource":{"id":"admin","type":"role"}}',
  ],
  [
    { action: 'x', resource: { type: 'a', id: 'b' }, parameters: {}, actor: { type: 'ci', id: 'c' } },
    '{"action":"x","actor":{"id":"c","type":"ci"},"parameters":{},"resource":{"id":"b","type":"a"}}',
  ],
].map(([action, text]) => ({ action, digest: sha256(text) }));
const DIGEST = actions[0].digest;

const uuid = '019f0000-0000-7000-8000-000000000001';
const OUTCOME = {
  type: 'outcome.settled',
  timestamp: '2026-11-18T11:06:40.000Z',
  data: {
    id: `out_${uuid}`,
    action_request: `ar_${uuid}`,
    sequence: 1,
    status: 'denied',
    action_digest: DIGEST,
    request_digest: sha256('request'),
    policy_digest: sha256('policy'),
    decisions: [],
    reason: 'Größe 😀',
    settled_at: '2026-11-18T11:06:40.000Z',
  },
};
const BODY = JSON.stringify(OUTCOME);
const hmac = (secret, id, time, body) =>
  `v1,${createHmac('sha256', Buffer.from(secret.slice(6), 'base64'))
    .update(`${id}.${time}.${body}`)
    .digest('base64')}`;
const ed = (key, id, time, body) => `v1a,${sign(null, Buffer.from(`${id}.${time}.${body}`), key).toString('base64')}`;
const message = (name, result, { id = 'msg_1', time = NOW, body = BODY, signature = hmac(SECRET, id, time, body), sent = {}, trust = 'secret' } = {}) => ({
  name,
  result,
  trust,
  body: sent.body ?? body,
  headers: { 'webhook-id': sent.id ?? id, 'webhook-timestamp': String(sent.time ?? time), 'webhook-signature': signature },
});
const flipped = (entry) => entry.replace(/,(.)/, (_, first) => `,${first === 'A' ? 'B' : 'A'}`);
const webhooks = [
  message('v1', 'ok'),
  message('v1a', 'ok', { trust: 'jwks', signature: ed(KEY, 'msg_1', NOW, BODY) }),
  message('both schemes, the secret alone is known', 'ok', { signature: `${ed(FOREIGN_KEY, 'msg_1', NOW, BODY)} ${hmac(SECRET, 'msg_1', NOW, BODY)}` }),
  message('an old secret beside the new one', 'ok', { signature: `${hmac(OTHER_SECRET, 'msg_1', NOW, BODY)} ${hmac(SECRET, 'msg_1', NOW, BODY)}` }),
  message('an unknown scheme beside', 'ok', { signature: `v2,AAAA ${hmac(SECRET, 'msg_1', NOW, BODY)}` }),
  message('300 s old', 'ok', { time: NOW - 300 }),
  message('301 s old', 'stale_message', { time: NOW - 301 }),
  message('301 s ahead', 'stale_message', { time: NOW + 301 }),
  message('another secret', 'invalid_signature', { signature: hmac(OTHER_SECRET, 'msg_1', NOW, BODY) }),
  message('another key', 'invalid_signature', { trust: 'jwks', signature: ed(FOREIGN_KEY, 'msg_1', NOW, BODY) }),
  message('a flipped bit in v1', 'invalid_signature', { signature: flipped(hmac(SECRET, 'msg_1', NOW, BODY)) }),
  message('a flipped bit in v1a', 'invalid_signature', { trust: 'jwks', signature: flipped(ed(KEY, 'msg_1', NOW, BODY)) }),
  message('a changed body', 'invalid_signature', { sent: { body: BODY.replace('denied', 'approved') } }),
  message('a changed id', 'invalid_signature', { sent: { id: 'msg_2' } }),
  message('a changed time', 'invalid_signature', { time: NOW - 400, sent: { time: NOW } }),
  message('the body written anew', 'invalid_signature', { sent: { body: JSON.stringify(OUTCOME, null, 1) } }),
  message('an HMAC said to be v1a', 'invalid_signature', { trust: 'jwks', signature: hmac(SECRET, 'msg_1', NOW, BODY).replace('v1,', 'v1a,') }),
  message('an Ed25519 signature said to be v1', 'invalid_signature', { signature: ed(KEY, 'msg_1', NOW, BODY).replace('v1a,', 'v1,') }),
  message('the secret of the public key', 'invalid_signature', {
    trust: 'jwks',
    signature: hmac(`whsec_${Buffer.from(jwk.x, 'base64url').toString('base64')}`, 'msg_1', NOW, BODY),
  }),
  message('no signature', 'malformed_message', { signature: '' }),
  message('an empty signature', 'invalid_signature', { signature: 'v1,' }),
  message('no time', 'malformed_message', { sent: { time: '' } }),
  message('a time that is no number', 'malformed_message', { sent: { time: '1e9' } }),
  message('a duplicate member', 'malformed_message', { body: BODY.replace('"status"', '"status":"approved","status"') }),
  message('no JSON', 'malformed_message', { body: 'approved' }),
  message('another event', 'malformed_message', { body: '{"type":"endpoint.tested","timestamp":"2026-11-18T11:06:40.000Z","data":{}}' }),
];

const CLAIMS = {
  iss: ISSUER,
  aud: ISSUER,
  jti: `gr_${uuid}`,
  iat: NOW - 10,
  exp: NOW + 290,
  tenant: 'default',
  action_request: `ar_${uuid}`,
  act_digest: DIGEST,
  request_digest: sha256('request'),
  policy_digest: sha256('policy'),
};
const HEADER = { alg: 'EdDSA', kid: jwk.kid, typ: 'approval-grant+jwt' };
const b64 = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
function jws(claims = {}, header = {}, key = KEY) {
  const payload = typeof claims === 'string' ? claims : JSON.stringify({ ...CLAIMS, ...claims });
  const signed = `${b64(typeof header === 'string' ? header : { ...HEADER, ...header })}.${b64(payload)}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`;
}
const good = jws();
const [goodHeader, goodPayload, goodSignature] = good.split('.');
const publicPem = Buffer.from(jwk.x, 'base64url');
const hsHeader = b64({ ...HEADER, alg: 'HS256' });
const without = ({ policy_digest: _policy, ...rest }) => JSON.stringify(rest);
const grants = [
  ['sound', 'ok', good],
  ['another audience that is expected', 'ok', jws({ aud: 'runner' }), { audience: 'runner' }],
  ['another action', 'action_mismatch', good, { action: { ...ACTION, parameters: { ...ACTION.parameters, rows: 999_999 } } }],
  ['another actor', 'action_mismatch', good, { action: { ...ACTION, actor: { type: 'agent', id: 'other' } } }],
  ['expired', 'grant_expired', jws({ exp: NOW })],
  ['issued in the future', 'invalid_grant', jws({ iat: NOW + 120, exp: NOW + 290 })],
  ['a life of more than 900 s', 'invalid_grant', jws({ exp: NOW + 891 })],
  ['another issuer', 'invalid_grant', jws({ iss: 'https://evil.example.com' })],
  ['another audience', 'invalid_grant', jws({ aud: 'https://evil.example.com' })],
  ['a list of audiences', 'invalid_grant', jws({ aud: [ISSUER] })],
  ['another key', 'invalid_grant', jws({}, {}, FOREIGN_KEY)],
  ['another key under its own kid', 'invalid_grant', jws({}, { kid: jwkOf(FOREIGN_KEY).kid }, FOREIGN_KEY)],
  ['no algorithm', 'invalid_grant', `${b64({ ...HEADER, alg: 'none' })}.${goodPayload}.`],
  [
    'HS256 with the public key',
    'invalid_grant',
    `${hsHeader}.${goodPayload}.${createHmac('sha256', publicPem).update(`${hsHeader}.${goodPayload}`).digest('base64url')}`,
  ],
  ['another type', 'invalid_grant', jws({}, { typ: 'JWT' })],
  ['a type in capitals', 'invalid_grant', jws({}, { typ: 'APPROVAL-GRANT+JWT' })],
  ['a key in the header', 'invalid_grant', jws({}, { jwk: jwkOf(FOREIGN_KEY) }, FOREIGN_KEY)],
  ['a crit header', 'invalid_grant', jws({}, { crit: ['exp'] })],
  ['a claim too many', 'invalid_grant', jws({ admin: true })],
  ['a claim too few', 'invalid_grant', jws(without(CLAIMS))],
  ['a duplicate claim', 'invalid_grant', jws(JSON.stringify(CLAIMS).replace('"act_digest"', `"act_digest":"${sha256('x')}","act_digest"`))],
  ['a duplicate header member', 'invalid_grant', jws({}, JSON.stringify(HEADER).replace('"alg"', '"alg":"none","alg"'))],
  ['a time that is a text', 'invalid_grant', jws({ exp: String(NOW + 290) })],
  ['a time with a fraction', 'invalid_grant', jws({ exp: NOW + 0.5 })],
  ['a huge time', 'invalid_grant', jws(JSON.stringify(CLAIMS).replace(String(NOW + 290), '1e300'))],
  ['padding', 'invalid_grant', `${good}==`],
  [
    'the plain base64 alphabet',
    'invalid_grant',
    good
      .split('.')
      .map((part) => Buffer.from(part, 'base64url').toString('base64'))
      .join('.'),
  ],
  [
    'stray bits in the last letter',
    'invalid_grant',
    `${goodHeader}.${goodPayload}.${goodSignature.slice(0, -1)}${String.fromCharCode(goodSignature.charCodeAt(goodSignature.length - 1) + 1)}`,
  ],
  ['white space', 'invalid_grant', `${good} `],
  ['two parts', 'invalid_grant', `${goodHeader}.${goodPayload}`],
  ['four parts', 'invalid_grant', `${good}.AAAA`],
  ['truncated', 'invalid_grant', good.slice(0, -10)],
  ['an altered payload', 'invalid_grant', `${goodHeader}.${b64({ ...CLAIMS, exp: NOW + 800 })}.${goodSignature}`],
  ['nothing', 'invalid_grant', ''],
].map(([name, result, grant, other = {}]) => ({ name, result, grant, audience: ISSUER, issuer: ISSUER, action: ACTION, ...other }));

const file = new URL('vectors.json', import.meta.url);
writeFileSync(
  file,
  `${JSON.stringify({ now: NOW, secret: SECRET, jwks: { keys: [jwk] }, canonical, not_canonical: notCanonical, actions, webhooks, grants }, null, 1)}\n`,
);
