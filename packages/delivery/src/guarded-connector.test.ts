import { afterEach, describe, expect, test } from '@jest/globals';
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { Agent, buildConnector, request } from 'undici';
import { parseCallbackAllow, type CallbackPolicy } from './address-guard.js';
import { guardedConnector, type GuardOptions, type ResolvedAddress } from './guarded-connector.js';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function allowing(text: string, loopback = false): CallbackPolicy {
  const parsed = parseCallbackAllow(text);
  if (!parsed.ok) throw new Error(parsed.errors.join('; '));
  return { allow: parsed.allow, loopback };
}

function agent(options: Omit<GuardOptions, 'connectTimeoutMs'>): Agent {
  const made = new Agent({ connect: guardedConnector({ connectTimeoutMs: 5000, ...options }) });
  closers.push(() => made.destroy());
  return made;
}

/** A server on loopback that counts connections and bytes, and answers HTTP with 204. */
async function victim(host = '127.0.0.1') {
  const http: Server = createServer((_, response) => response.writeHead(204).end());
  const sockets: Socket[] = [];
  const server = createTcpServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    http.emit('connection', socket);
  });
  server.listen(0, host);
  await once(server, 'listening');
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  // A TCP server's address is an object.
  const { port } = server.address() as AddressInfo;
  return {
    port,
    // bytesRead counts on the handle, below TLS and the HTTP parser.
    seen: () => ({ connections: sockets.length, bytes: sockets.reduce((sum, socket) => sum + socket.bytesRead, 0) }),
    gone: () => Promise.all(sockets.filter((socket) => !socket.closed).map((socket) => once(socket, 'close'))),
  };
}

const addresses =
  (...list: string[]) =>
  (): Promise<ResolvedAddress[]> =>
    Promise.resolve(list.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));

describe('the guarded connector', () => {
  test('reaches what the policy allows: literal, and name by look-up', async () => {
    const { port, seen } = await victim();
    const dispatcher = agent({ policy: allowing('127.0.0.1'), resolve: addresses('127.0.0.1') });
    expect((await request(`http://127.0.0.1:${port}/`, { dispatcher })).statusCode).toBe(204);
    expect((await request(`http://caller.example:${port}/`, { dispatcher })).statusCode).toBe(204);
    expect(seen().connections).toBe(2);
  });

  test.each(['127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0', '2130706433', '0x7f.1'])('I14: opens no connection to the literal %s', async (host) => {
    const { port, seen } = await victim(host.startsWith('[::1') ? '::1' : '127.0.0.1');
    const dispatcher = agent({ policy: allowing('') });
    for (const scheme of ['http', 'https']) {
      await expect(request(`${scheme}://${host}:${port}/`, { dispatcher })).rejects.toMatchObject({ code: 'address_blocked' });
    }
    expect(seen()).toEqual({ connections: 0, bytes: 0 });
  });

  test('I14: opens no connection to a name when any one of its addresses is denied', async () => {
    const { port, seen } = await victim();
    for (const list of [['127.0.0.1'], ['8.8.8.8', '127.0.0.1'], ['127.0.0.1', '8.8.8.8'], ['2606:4700::1111', '::1']]) {
      const dispatcher = agent({ policy: allowing(''), resolve: addresses(...list) });
      await expect(request(`https://caller.example:${port}/`, { dispatcher })).rejects.toMatchObject({ code: 'address_blocked' });
    }
    expect(seen().connections).toBe(0);
  });

  test('I14: a name that is rebound between two connects is blocked at the second', async () => {
    const { port, seen } = await victim();
    const other = await victim();
    let answer = '127.0.0.1';
    const dispatcher = agent({ policy: allowing(`127.0.0.1:${port}`), resolve: () => addresses(answer)() });
    expect((await request(`http://caller.example:${port}/`, { dispatcher, reset: true })).statusCode).toBe(204);
    answer = '10.0.0.1';
    await expect(request(`http://caller.example:${port}/`, { dispatcher })).rejects.toMatchObject({ code: 'address_blocked' });
    expect(seen().connections).toBe(1);
    expect(other.seen().connections).toBe(0);
  });

  test('I14: an answer that changes between look-up and connect does not move the connection', async () => {
    const { port, seen } = await victim();
    let reads = 0;
    // The first reading is what the guard is shown, the second what a careless connector would use.
    const shifting = {
      family: 4,
      get address() {
        return reads++ === 0 ? '127.0.0.1' : '127.0.0.2';
      },
    };
    const dispatcher = agent({ policy: allowing('127.0.0.1'), resolve: () => Promise.resolve([shifting]) });
    expect((await request(`http://caller.example:${port}/`, { dispatcher })).statusCode).toBe(204);
    expect({ reads, connections: seen().connections }).toEqual({ reads: 1, connections: 1 });
  });

  test.each(['http', 'https'])('I14: a %s connection that ended up at a denied peer is closed with not one byte sent', async (scheme) => {
    const { port, seen, gone } = await victim();
    const dispatcher = agent({
      policy: allowing('10.0.0.0/8'),
      resolve: addresses('10.1.2.3'),
      // A network that leads an allowed address elsewhere.
      dial: (to, callback) => buildConnector({})({ ...to, hostname: '127.0.0.1', port: String(port) }, callback),
    });
    await expect(request(`${scheme}://other.example:8080/`, { dispatcher })).rejects.toMatchObject({ code: 'address_blocked' });
    await gone();
    expect(seen()).toEqual({ connections: 1, bytes: 0 });
  });

  test('speaks TLS to a trusted certificate of the name, and to no other', async () => {
    const certificate = selfSigned('caller.example');
    const server = createTlsServer({ key: certificate.key, cert: certificate.cert }, (_, response) => response.writeHead(204).end()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => once(server.close(), 'close'));
    // A TCP server's address is an object.
    const { port } = server.address() as AddressInfo;
    const shared = { policy: allowing('127.0.0.1'), resolve: addresses('127.0.0.1') };
    const trusting = agent({ ...shared, ca: certificate.cert });
    expect((await request(`https://caller.example:${port}/`, { dispatcher: trusting })).statusCode).toBe(204);
    await expect(request(`https://other.example:${port}/`, { dispatcher: trusting })).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    await expect(request(`https://127.0.0.1:${port}/`, { dispatcher: trusting })).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    await expect(request(`https://caller.example:${port}/`, { dispatcher: agent(shared) })).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    await trusting.close();
  });

  test('a name without addresses and a failed look-up are failures of their own, not blocked', async () => {
    const none = agent({ policy: allowing(''), resolve: addresses() });
    await expect(request('https://caller.example/', { dispatcher: none })).rejects.toMatchObject({ code: 'ENOTFOUND' });
    const broken = agent({ policy: allowing(''), resolve: () => Promise.reject(Object.assign(new Error('no server'), { code: 'EAI_AGAIN' })) });
    await expect(request('https://caller.example/', { dispatcher: broken })).rejects.toMatchObject({ code: 'EAI_AGAIN' });
  });

  test('the victim of these tests counts what it is sent', async () => {
    const { port, seen, gone } = await victim();
    const socket = connect(port, '127.0.0.1');
    socket.resume().end('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    await once(socket, 'close');
    await gone();
    expect(seen()).toEqual({ connections: 1, bytes: 27 });
  });
});

/** A throw-away Ed25519 certificate for one DNS name, written as DER by hand (RFC 5280, section 4.1): Node makes none. */
function selfSigned(name: string): { key: string; cert: string } {
  const der = (tag: number, ...parts: Uint8Array[]): Buffer => {
    const content = Buffer.concat(parts);
    const length = content.length < 0x80 ? [content.length] : [0x82, content.length >> 8, content.length & 0xff];
    return Buffer.concat([Buffer.from([tag, ...length]), content]);
  };
  const hex = (text: string) => Buffer.from(text, 'hex');
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const algorithm = der(0x30, hex('06032b6570'));
  const subject = der(0x30, der(0x31, der(0x30, hex('0603550403'), der(0x0c, Buffer.from(name)))));
  const validity = der(0x30, der(0x17, Buffer.from('200101000000Z')), der(0x17, Buffer.from('491231235959Z')));
  const alternativeName = der(0x30, hex('0603551d11'), der(0x04, der(0x30, der(0x82, Buffer.from(name)))));
  const body = der(
    0x30,
    hex('a003020102'), // version 3
    hex('020101'), // serial number
    algorithm,
    subject, // the issuer, itself
    validity,
    subject,
    publicKey.export({ format: 'der', type: 'spki' }),
    der(0xa3, der(0x30, alternativeName)),
  );
  const certificate = der(0x30, body, algorithm, der(0x03, hex('00'), sign(null, body, privateKey)));
  return {
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64')}\n-----END CERTIFICATE-----\n`,
  };
}
