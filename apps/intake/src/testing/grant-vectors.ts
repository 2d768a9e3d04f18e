import { createHmac, createPublicKey } from 'node:crypto';
import { actionVectors } from './action-vectors.js';
import type { Signer } from '@countersign/core/ports';
import { canonicalJson } from '@countersign/core/request';
import { publicJwk, spkiDer, spkiPem } from '@countersign/keys';

/** One hostile try to redeem. */
export interface GrantVector {
  name: string;
  grant: string;
  /** The action as JSON text, where it is not the approved one. */
  action?: string;
  /** `<status> <code>` of the refusal. */
  refused: string;
}

/** What the vectors are made from: a good grant, the keys that sign, and neighbours to mix it up with. */
export interface Material {
  grant: string;
  signer: Signer;
  checkpointSigner: Signer;
  /** A key that is nobody's. */
  stranger: Signer;
  /** Of another request that is approved, for another action. */
  otherGrant: string;
  /** The id of a request that waits for people. */
  pendingId: string;
  /** The approved action. */
  action: Record<string, unknown>;
}

type Claims = Record<string, unknown>;
const FORGED = '401 invalid_grant';
const b64 = (bytes: string | Uint8Array): string => Buffer.from(bytes).toString('base64url');

/** Every vector, by name. What is signed is signed by our own key unless the name says otherwise: only the rule that is named refuses it. */
export async function grantVectors(material: Material): Promise<GrantVector[]> {
  const { grant, signer } = material;
  const [head = '', body = '', signature = ''] = grant.split('.');
  const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as Claims; // our own grant's header
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Claims; // and payload
  const sign = async (one: string, two: string, by: Signer = signer): Promise<string> => {
    const signed = `${b64(one)}.${b64(two)}`;
    return `${signed}.${b64(await by.sign(Buffer.from(signed)))}`;
  };
  const withHeader = (change: Claims, by?: Signer): Promise<string> => sign(canonicalJson(defined({ ...header, ...change })), canonicalJson(claims), by);
  const withClaims = (change: Claims, by?: Signer): Promise<string> => sign(canonicalJson(header), canonicalJson(defined({ ...claims, ...change })), by);
  const rawHeader = (text: string): Promise<string> => sign(text, canonicalJson(claims));
  const rawClaims = (text: string): Promise<string> => sign(canonicalJson(header), text);
  const forged = async (name: string, token: string | Promise<string>): Promise<GrantVector> => ({ name, grant: await token, refused: FORGED });

  return (
    await Promise.all([
      ...algorithms(material, header, claims).map(([name, token]) => forged(name, token)),
      ...headerChanges(material).map(([name, change, by]) => forged(`header: ${name}`, withHeader(change, by))),
      ...spellings(header, ['alg', 'kid', 'typ']).map(([name, text]) => forged(`header: ${name}`, rawHeader(text))),
      ...claimChanges(claims).map(async ([name, change, refused]) => ({
        name: `claims: ${name}`,
        grant: await withClaims(change),
        refused: refused ?? FORGED,
      })),
      ...spellings(claims, Object.keys(claims)).map(([name, text]) => forged(`claims: ${name}`, rawClaims(text))),
      ...rawTimes(claims).map(([name, text]) => forged(`claims: ${name}`, rawClaims(text))),
      forged('signed by a stranger under our kid', withClaims({}, material.stranger)),
      forged('signed by the checkpoint key under the kid of grants', withClaims({}, material.checkpointSigner)),
      ...signatures(head, body, signature, material.otherGrant).map(([name, token]) => forged(`signature: ${name}`, token)),
      ...encodings(head, body, signature).map(([name, token]) => forged(`encoding: ${name}`, token)),
      ...envelopes(grant, head, body, signature).map(([name, token]) => forged(`form: ${name}`, token)),
      forged('a grant for a request that waits for people', withClaims({ action_request: material.pendingId })),
      forged('a grant for a request that is not there', withClaims({ action_request: 'ar_0192f0c1-7d3a-7c5e-8a11-2b6f0e9d4c55' })),
      forged("with the digests of another request's grant", withClaims(digestsOf(material.otherGrant))),
      ...actionVectors(material.action).map(async ([name, action, refused]) => ({
        name: `action: ${name}`,
        grant,
        action,
        refused: refused ?? '422 action_mismatch',
      })),
      Promise.resolve({ name: "another request's grant with this action", grant: material.otherGrant, refused: '422 action_mismatch' }),
      Promise.resolve({ name: 'NUL behind the grant', grant: `${grant}\u0000`, refused: '400 invalid_json' }),
      Promise.resolve({ name: 'no grant at all', grant: '', refused: '422 invalid_body' }),
      Promise.resolve({ name: 'a grant of 8,193 characters', grant: 'a'.repeat(8193), refused: '422 invalid_body' }),
    ])
  ).flat();
}

const defined = (members: Claims): Claims => Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));

function digestsOf(grant: string): Claims {
  const { act_digest, request_digest } = JSON.parse(Buffer.from(grant.split('.')[1] ?? '', 'base64url').toString()) as Claims; // our own grant's payload
  return { act_digest, request_digest };
}

/** Other algorithms: none in every case, and HMAC with each form in which the public key is published (CVE-2015-9235, CVE-2016-10555). */
function algorithms({ signer }: Material, header: Claims, claims: Claims): [string, string][] {
  const payload = b64(canonicalJson(claims));
  const unsigned = ['none', 'None', 'NONE', 'nOnE', ''].map((alg): [string, string] => [
    `alg "${alg}" without a signature`,
    `${b64(canonicalJson({ ...header, alg }))}.${payload}.`,
  ]);
  const jwk = publicJwk(signer.publicKey);
  const secrets: [string, string | Uint8Array][] = [
    ['the raw public key', signer.publicKey],
    ['the public key in base64url', jwk.x],
    ['the public key in DER', spkiDer(signer.publicKey)],
    ['the public key in PEM', spkiPem(signer.publicKey)],
    ['the public key in PEM without the last newline', spkiPem(signer.publicKey).trimEnd()],
    ['the PEM that node writes', createPublicKey(spkiPem(signer.publicKey)).export({ type: 'spki', format: 'pem' })],
    ['the JWK', JSON.stringify(jwk)],
    ['the kid', jwk.kid],
    ['an empty secret', ''],
  ];
  const symmetric = [256, 512].flatMap((bits) =>
    secrets.map(([name, secret]): [string, string] => {
      const signed = `${b64(canonicalJson({ ...header, alg: `HS${bits}` }))}.${payload}`;
      return [`HS${bits} with ${name}`, `${signed}.${b64(createHmac(`sha${bits}`, secret).update(signed).digest())}`];
    }),
  );
  return [...unsigned, ...symmetric];
}

function headerChanges({ signer, checkpointSigner, stranger }: Material): [name: string, change: Claims, by?: Signer][] {
  const strange = { ...publicJwk(stranger.publicKey) };
  return [
    ...['RS256', 'ES256', 'PS256', 'Ed448', 'Ed25519', 'eddsa', 'EdDSA ', 'EDDSA', 'HS256'].map((alg): [string, Claims] => [
      `alg ${alg} over an EdDSA signature`,
      { alg },
    ]),
    ...[undefined, null, ['EdDSA'], 0, { name: 'EdDSA' }].map((alg): [string, Claims] => [`alg ${JSON.stringify(alg)}`, { alg }]),
    ...['JWT', 'at+jwt', 'application/approval-grant+jwt', 'APPROVAL-GRANT+JWT', 'approval-grant+jwt ', '', null, undefined, ['approval-grant+jwt']].map(
      (typ): [string, Claims] => [`typ ${JSON.stringify(typ)}`, { typ }],
    ),
    ...[
      undefined,
      null,
      '',
      0,
      [signer.kid],
      `${signer.kid} `,
      signer.kid.slice(0, -1),
      signer.kid.toLowerCase(),
      '../../dev/null',
      "' OR 1=1 --",
      '__proto__',
    ].map((kid): [string, Claims] => [`kid ${JSON.stringify(kid)}`, { kid }]),
    ['the checkpoint key, by its own kid', { kid: checkpointSigner.kid }, checkpointSigner],
    ['the kid of the checkpoint key', { kid: checkpointSigner.kid }],
    ["a stranger's key and kid", { kid: stranger.kid }, stranger],
    ["a stranger's key brought along as jwk", { jwk: strange }, stranger],
    ["a stranger's key, kid and jwk", { kid: stranger.kid, jwk: strange }, stranger],
    ['our own key as jwk', { jwk: { ...publicJwk(signer.publicKey) } }],
    ["jku that names a stranger's keys", { jku: 'https://evil.example.com/jwks.json', kid: stranger.kid }, stranger],
    ['jku that names ours', { jku: 'https://evil.example.com/jwks.json' }],
    ['x5u', { x5u: 'https://evil.example.com/cert.pem' }],
    ['x5c', { x5c: ['MIIB'] }],
    ['x5t', { x5t: 'AAAA' }],
    ['crit, empty', { crit: [] }],
    ['crit with exp', { crit: ['exp'], exp: 1 }],
    ['crit with what nobody knows', { crit: ['http://example.com/x'], 'http://example.com/x': true }],
    ['b64 false', { crit: ['b64'], b64: false }],
    ['b64 true', { b64: true }],
    ['zip', { zip: 'DEF' }],
    ['cty', { cty: 'JWT' }],
    ['enc', { enc: 'A256GCM' }],
    ['claims in the header', { iss: 'http://localhost', aud: 'x' }],
    ['a member of no meaning', { foo: 'bar' }],
    ['a member without a name', { '': 1 }],
  ];
}

/** The same members in other words: all of it JSON that lenient readers take for the same, or for something else than others do. */
function spellings(members: Claims, names: string[]): [string, string][] {
  const text = canonicalJson(members);
  const [first = ''] = names;
  const quoted = JSON.stringify(members[first]);
  const letter = first.charCodeAt(0).toString(16).padStart(4, '0');
  return [
    ...names.map((name): [string, string] => [`${name} twice, the good one last`, text.replace('{', `{${JSON.stringify(name)}:"evil",`)]),
    [`${first} twice, the good one first`, text.replace('}', `,${JSON.stringify(first)}:"evil"}`)],
    [`${first} twice, once in escapes`, text.replace('{', `{"\\u${letter}${first.slice(1)}":${quoted},`)],
    [
      'in another order',
      `{${Object.keys(members)
        .toReversed()
        .map((name) => `${JSON.stringify(name)}:${JSON.stringify(members[name])}`)
        .join(',')}}`,
    ],
    ['with white space', JSON.stringify(members, null, 1)],
    ['with a space at the end', `${text} `],
    ['with a newline at the end', `${text}\n`],
    ['with a byte order mark', `\u{feff}${text}`],
    ['with a name in escapes', text.replace(`"${first}"`, `"\\u${letter}${first.slice(1)}"`)],
    ['with __proto__', text.replace('{', '{"__proto__":{"admin":true},')],
    ['with a trailing comma', text.replace('}', ',}')],
    ['with a comment', text.replace('{', '{/* */')],
    ['in single quotes', text.replaceAll('"', "'")],
    ['cut', text.slice(0, -1)],
    ['with something behind it', `${text}{}`],
    ['with NUL at the end', `${text}\u0000`],
    ['as a list', `[${text}]`],
    ['as text', JSON.stringify(text)],
    ['null', 'null'],
    ['a number', '1'],
    ['empty', ''],
    ['an empty object', '{}'],
  ];
}

function claimChanges(claims: Claims): [name: string, change: Claims, refused?: string][] {
  const iat = Number(claims['iat']);
  const names = Object.keys(claims);
  const foreign = '403 grant_tenant_mismatch';
  const audience = '403 grant_audience_mismatch';
  return [
    ...names.map((name): [string, Claims] => [`without ${name}`, { [name]: undefined }]),
    ...names.map((name): [string, Claims] => [`${name} null`, { [name]: null }]),
    ...names.map((name): [string, Claims] => [`${name} in a list`, { [name]: [claims[name]] }]),
    ...names.map((name): [string, Claims] => [`${name} of another type`, { [name]: typeof claims[name] === 'string' ? 1 : String(claims[name]) }]),
    ...['nbf', 'sub', 'cnf', 'scope', 'constructor', 'admin', ''].map((name): [string, Claims] => [`with ${JSON.stringify(name)} besides`, { [name]: 1 }]),
    ['two audiences, ours among them', { aud: [claims['aud'], 'https://evil.example.com'] }],
    ['iss of somebody else', { iss: 'https://evil.example.com' }],
    ['iss with a slash behind it', { iss: `${String(claims['iss'])}/` }],
    ['iss in capitals', { iss: String(claims['iss']).toUpperCase() }],
    ['iss empty', { iss: '' }],
    ['aud of somebody else', { aud: 'https://evil.example.com' }, audience],
    ['aud with a slash behind it', { aud: `${String(claims['aud'])}/` }, audience],
    ['aud empty', { aud: '' }, audience],
    ['aud *', { aud: '*' }, audience],
    ['another tenant', { tenant: 'other' }, foreign],
    ['tenant in capitals', { tenant: 'DEFAULT' }, foreign],
    ['tenant in look-alike letters', { tenant: 'd\u0435fault' }, foreign],
    ['tenant with a space', { tenant: 'default ' }, foreign],
    ['no tenant', { tenant: '' }, foreign],
    ['over since a while', { iat: iat - 600, exp: iat - 300 }, '410 grant_expired'],
    ['over since long', { iat: 0, exp: 1 }, '410 grant_expired'],
    ['over this second', { iat: iat - 300, exp: iat }, '410 grant_expired'],
    ['a life of 901 s', { exp: iat + 901 }],
    ['a life of a day', { exp: iat + 86_400 }],
    ['a life without end', { exp: Number.MAX_SAFE_INTEGER }],
    ['a life of nothing', { exp: iat }],
    ['a life backwards', { exp: iat - 1 }],
    ['begun in the future', { iat: iat + 600, exp: iat + 900 }],
    ['begun in the far future', { iat: iat + 10_000_000, exp: iat + 10_000_300 }],
    ['exp negative', { exp: -1 }],
    ['exp a fraction', { exp: iat + 300.5 }],
    ['exp in milliseconds', { exp: (iat + 300) * 1000 }],
    ['iat negative', { iat: -1 }],
    ['iat a fraction', { iat: iat + 0.5 }],
    ['jti of another kind', { jti: String(claims['jti']).replace('gr_', 'ar_') }],
    ['jti in capitals', { jti: String(claims['jti']).toUpperCase() }],
    ['action_request with a path', { action_request: `${String(claims['action_request'])}/../x` }],
    ['act_digest of the other request', { act_digest: `sha256:${'0'.repeat(64)}` }, '422 action_mismatch'],
    ['act_digest in capitals', { act_digest: String(claims['act_digest']).toUpperCase() }],
    ['act_digest without its prefix', { act_digest: String(claims['act_digest']).slice(7) }],
    ['request_digest of another request', { request_digest: `sha256:${'0'.repeat(64)}` }],
    ['policy_digest of another policy', { policy_digest: `sha256:${'0'.repeat(64)}` }],
  ];
}

/** Numbers that JavaScript would write otherwise. */
function rawTimes(claims: Claims): [string, string][] {
  const text = canonicalJson(claims);
  const exp = `"exp":${String(claims['exp'])}`;
  const iat = `"iat":${String(claims['iat'])}`;
  return [
    ...[
      `${String(claims['exp'])}.0`,
      `${String(claims['exp'])}e0`,
      '9007199254740992',
      '1e400',
      '1e20',
      '-0',
      '0x7fffffff',
      '+1',
      '01',
      'NaN',
      'Infinity',
      'true',
    ].map((number): [string, string] => [`exp written ${number}`, text.replace(exp, `"exp":${number}`)]),
    ...[`${String(claims['iat'])}.0`, '-0', '1e-400', '9007199254740993'].map((number): [string, string] => [
      `iat written ${number}`,
      text.replace(iat, `"iat":${number}`),
    ]),
  ];
}

/** The order of the group of Ed25519 (RFC 8032, section 5.1). */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

function signatures(head: string, body: string, signature: string, otherGrant: string): [string, string][] {
  const bytes = Buffer.from(signature, 'base64url');
  const token = (changed: Uint8Array): string => `${head}.${body}.${b64(changed)}`;
  const number = (part: Buffer): bigint => BigInt(`0x${Buffer.from(part).reverse().toString('hex')}`);
  const scalar = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse();
  const [r, s] = [bytes.subarray(0, 32), number(bytes.subarray(32))];
  const flipped = [0, 7, 31, 32, 47, 63].map((at): [string, string] => {
    const copy = Buffer.from(bytes);
    copy[at] = (copy[at] ?? 0) ^ 1;
    return [`a bit of byte ${at} turned`, token(copy)];
  });
  const identity = Buffer.alloc(32);
  identity[0] = 1;
  return [
    ...flipped,
    ['S + L, the malleable twin', token(Buffer.concat([r, scalar(s + L)]))],
    ['S + 2 L', token(Buffer.concat([r, scalar(s + 2n * L)]))],
    ['L - S', token(Buffer.concat([r, scalar(L - s)]))],
    ['S = 0', token(Buffer.concat([r, scalar(0n)]))],
    ['of a point of small order', token(Buffer.concat([identity, scalar(0n)]))],
    ['halves changed over', token(Buffer.concat([bytes.subarray(32), r]))],
    ['zeros', token(Buffer.alloc(64))],
    ['ones', token(Buffer.alloc(64, 0xff))],
    ['a byte short', token(bytes.subarray(0, 63))],
    ['a byte long', token(Buffer.concat([bytes, Buffer.alloc(1)]))],
    ['of another grant', `${head}.${body}.${otherGrant.split('.')[2] ?? ''}`],
    ["of this grant under another's claims", `${head}.${otherGrant.split('.')[1] ?? ''}.${signature}`],
    ['none', `${head}.${body}.`],
    ['in hexadecimal', `${head}.${body}.${bytes.toString('hex')}`],
  ];
}

/** Other spellings of the same bytes (RFC 4648, sections 3 and 5). */
function encodings(head: string, body: string, signature: string): [string, string][] {
  const loose = (part: string): string => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    return part.slice(0, -1) + (alphabet[alphabet.indexOf(part.slice(-1)) ^ 1] ?? '');
  };
  const plain = (part: string): string => Buffer.from(part, 'base64url').toString('base64');
  const parts = [head, body, signature];
  const each = (name: string, change: (part: string) => string): [string, string][] =>
    ['header', 'payload', 'signature'].map((which, at) => [
      `${name} in the ${which}`,
      parts.map((part, index) => (index === at ? change(part) : part)).join('.'),
    ]);
  return [
    ...each('padding', (part) => `${part}=`),
    ...each('double padding', (part) => `${part}==`),
    ...each('the last letter turned', loose),
    ...each('a space', (part) => `${part.slice(0, 4)} ${part.slice(4)}`),
    ...each('a newline', (part) => `${part.slice(0, 4)}\n${part.slice(4)}`),
    ...each('a letter that is none', (part) => `${part.slice(0, -1)}*`),
    ...each('one letter too many', (part) => `${part}A`),
    ...each('the last letter cut', (part) => part.slice(0, -1)),
    ['plain base64 with padding', parts.map(plain).join('.')],
    ['percent signs', parts.join('%2E')],
    ['a space before', ` ${parts.join('.')}`],
    ['a newline behind', `${parts.join('.')}\n`],
    ['a letter without width', parts.join('.\u200b')],
    ['dots of full width', parts.join('\uff0e')],
  ];
}

function envelopes(grant: string, head: string, body: string, signature: string): [string, string][] {
  return [
    ['two parts', `${head}.${body}`],
    ['one part', head],
    ['four parts', `${grant}.${signature}`],
    ['five parts, as a JWE', `${head}.${body}.${body}.${body}.${signature}`],
    ['five parts, direct encryption', `${b64('{"alg":"dir","enc":"A256GCM"}')}..${body}.${body}.${signature}`],
    ['empty parts', '..'],
    ['a dot before', `.${grant}`],
    ['a dot behind', `${grant}.`],
    ['header and payload changed over', `${body}.${head}.${signature}`],
    ['no payload, as detached', `${head}..${signature}`],
    ['a JWS inside a JWS', `${head}.${b64(grant)}.${signature}`],
    ['as flattened JSON', JSON.stringify({ protected: head, payload: body, signature })],
    ['as general JSON', JSON.stringify({ payload: body, signatures: [{ protected: head, signature }] })],
    ['with the scheme before it', `Bearer ${grant}`],
    ['in quotes', JSON.stringify(grant)],
    ['twice', `${grant} ${grant}`],
    ['the longest that is read', 'a'.repeat(8192)],
  ];
}
