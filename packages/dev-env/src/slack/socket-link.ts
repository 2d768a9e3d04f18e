import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { isObject, parseJson, text, type JsonObject } from '../wire/json.js';
import type { Delivery } from './signed-delivery.js';

/**
 * Slack's end of socket mode: the app asks `apps.connections.open` for an address, opens a WebSocket there, hears `hello`, and
 * from then on gets in envelopes what it would otherwise be posted. Source: Slack documentation, "Using Socket Mode"; RFC 6455.
 */
export class SocketLink {
  private readonly sockets = new Set<Duplex>();
  private readonly waiting = new Map<string, (payload: JsonObject) => void>();
  private readonly tickets = new Set<string>();

  constructor(
    private readonly appId: string,
    private readonly changed: () => void,
  ) {}

  get connected(): boolean {
    return this.sockets.size > 0;
  }

  /** The address of one connection; it is good for one. */
  address(url: string): string {
    const ticket = randomUUID();
    this.tickets.add(ticket);
    return `${url.replace(/^http/, 'ws')}/link/?ticket=${ticket}`;
  }

  /** Takes a WebSocket's handshake (RFC 6455, section 4.2). */
  upgrade(request: IncomingMessage, socket: Duplex): void {
    const ticket = new URL(request.url ?? '/', 'http://localhost').searchParams.get('ticket') ?? '';
    const key = request.headers['sec-websocket-key'];
    if (!this.tickets.delete(ticket) || key === undefined) {
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
      return;
    }
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    this.sockets.add(socket);
    let unread = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      unread = Buffer.concat([unread, chunk]);
      for (let frame = readFrame(unread); frame !== null; frame = readFrame(unread)) {
        unread = unread.subarray(frame.size);
        this.receive(socket, frame.opcode, frame.payload);
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.sockets.delete(socket);
      this.changed();
    });
    write(
      socket,
      TEXT,
      JSON.stringify({ type: 'hello', num_connections: this.sockets.size, connection_info: { app_id: this.appId }, debug_info: { host: 'fake' } }),
    );
    this.changed();
  }

  /** Sends an interaction to the app, over one of its connections, and waits for the acknowledgement. */
  async deliver(type: string, payload: JsonObject, patienceMs: number): Promise<Delivery> {
    const envelope_id = randomUUID();
    const body = JSON.stringify({ type, envelope_id, payload, accepts_response_payload: true });
    const request = { url: 'socket', headers: {}, body };
    const [socket] = this.sockets;
    if (socket === undefined) return { request, status: null, body: '', json: undefined, cause: new Error('no app is connected') };
    const answer = new Promise<Delivery>((resolve) => {
      const late = setTimeout(() => {
        this.waiting.delete(envelope_id);
        resolve({ request, status: null, body: '', json: undefined, cause: new Error('no acknowledgement in time') });
      }, patienceMs);
      this.waiting.set(envelope_id, (said) => {
        clearTimeout(late);
        const json = said['payload'];
        resolve({ request, status: 200, body: json === undefined ? '' : JSON.stringify(json), json });
      });
    });
    write(socket, TEXT, body);
    return answer;
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  private receive(socket: Duplex, opcode: number, payload: Buffer): void {
    if (opcode === PING) write(socket, PONG, payload);
    if (opcode === CLOSE) {
      write(socket, CLOSE, payload);
      socket.end();
    }
    if (opcode !== TEXT) return;
    const said = parseJson(payload.toString('utf8'));
    const id = isObject(said) ? text(said['envelope_id']) : undefined;
    if (!isObject(said) || id === undefined) return;
    this.waiting.get(id)?.(said);
    this.waiting.delete(id);
  }
}

const [TEXT, CLOSE, PING, PONG] = [0x1, 0x8, 0x9, 0xa] as const;

/** One whole frame from the start of the bytes, unmasked (RFC 6455, section 5.2); null where it is not all there. The SDK does not fragment. */
function readFrame(bytes: Buffer): { opcode: number; payload: Buffer; size: number } | null {
  if (bytes.length < 2) return null;
  const opcode = bytes.readUInt8(0) & 0x0f;
  const masked = (bytes.readUInt8(1) & 0x80) !== 0;
  const short = bytes.readUInt8(1) & 0x7f;
  const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0;
  const start = 2 + lengthBytes + (masked ? 4 : 0);
  if (bytes.length < start) return null;
  const length = lengthBytes === 8 ? Number(bytes.readBigUInt64BE(2)) : lengthBytes === 2 ? bytes.readUInt16BE(2) : short;
  if (bytes.length < start + length) return null;
  const payload = Buffer.from(bytes.subarray(start, start + length));
  if (masked) for (let index = 0; index < length; index++) payload[index] = payload.readUInt8(index) ^ bytes.readUInt8(start - 4 + (index % 4));
  return { opcode, payload, size: start + length };
}

/** A server's frames are not masked. */
function write(socket: Duplex, opcode: number, content: string | Buffer): void {
  const payload = Buffer.from(content);
  const head = payload.length < 126 ? Buffer.from([0x80 | opcode, payload.length]) : payload.length < 65_536 ? Buffer.alloc(4) : Buffer.alloc(10);
  if (payload.length >= 126) {
    head.writeUInt8(0x80 | opcode, 0);
    head.writeUInt8(payload.length < 65_536 ? 126 : 127, 1);
    if (payload.length < 65_536) head.writeUInt16BE(payload.length, 2);
    else head.writeBigUInt64BE(BigInt(payload.length), 2);
  }
  socket.write(Buffer.concat([head, payload]));
}
