import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** What navigator.credentials.get and create are asked for, as far as an authenticator cares. */
interface Options {
  challenge: string;
  rp?: { id?: string };
  rpId?: string;
  user?: { id: string };
}

/** How an answer differs from an honest one. */
export interface Lies {
  origin?: string;
  rpId?: string;
  challenge?: string;
  type?: string;
  crossOrigin?: boolean;
  topOrigin?: string;
  /** Who was checked; both by default. */
  present?: boolean;
  verified?: boolean;
  /** Instead of the next count. */
  counter?: number;
  userHandle?: string;
  /** Another credential's id. */
  id?: string;
  /** Signs with this key. */
  key?: KeyObject;
  /** Changes the signature's last byte. */
  breakSignature?: boolean;
}

/**
 * An authenticator and browser in one, for what no honest ones do: it makes ES256 credentials and signs what it is told to
 * (WebAuthn level 3, sections 5.8.1 and 6.1). Honest ceremonies are tested with Chromium's own.
 */
export class SoftAuthenticator {
  readonly id = randomBytes(32);
  readonly key: KeyObject;
  readonly #jwk: { x: string; y: string };
  /** The count of signatures; -1 stands for an authenticator that has none and says 0 always. */
  counter: number;
  #user = '';

  constructor(
    readonly origin: string,
    options: { counts?: boolean } = {},
  ) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.key = privateKey;
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
    this.#jwk = { x, y };
    this.counter = options.counts === false ? -1 : 0;
  }

  get credentialId(): string {
    return this.id.toString('base64url');
  }

  /** The answer to options of `create`, as JSON; attestation `none`. */
  register(options: Options, lies: Lies = {}): object {
    this.#user = options.user?.id ?? '';
    const cose = cbor(
      new Map<number, Cbor>([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, Buffer.from(this.#jwk.x, 'base64url')],
        [-3, Buffer.from(this.#jwk.y, 'base64url')],
      ]),
    );
    const attested = Buffer.concat([Buffer.alloc(16), uint16(this.id.length), this.id, cose]);
    const authData = Buffer.concat([this.#authenticatorData(options.rp?.id ?? '', lies, 0x40), attested]);
    const attestationObject = cbor(
      new Map<string, Cbor>([
        ['fmt', 'none'],
        ['attStmt', new Map()],
        ['authData', authData],
      ]),
    );
    const clientDataJSON = this.#clientData(lies.type ?? 'webauthn.create', options.challenge, lies);
    return this.#credential(lies, {
      clientDataJSON: clientDataJSON.toString('base64url'),
      attestationObject: attestationObject.toString('base64url'),
      transports: ['internal'],
    });
  }

  /** The answer to options of `get`, as JSON. */
  assert(options: Options, lies: Lies = {}): object {
    const authenticatorData = this.#authenticatorData(options.rpId ?? '', lies, 0);
    const clientDataJSON = this.#clientData(lies.type ?? 'webauthn.get', options.challenge, lies);
    const signed = Buffer.concat([authenticatorData, createHash('sha256').update(clientDataJSON).digest()]);
    const signature = sign('sha256', signed, { key: lies.key ?? this.key, dsaEncoding: 'der' });
    if (lies.breakSignature === true) signature[signature.length - 1] = (signature[signature.length - 1] ?? 0) ^ 1;
    return this.#credential(lies, {
      clientDataJSON: clientDataJSON.toString('base64url'),
      authenticatorData: authenticatorData.toString('base64url'),
      signature: signature.toString('base64url'),
      userHandle: lies.userHandle ?? this.#user,
    });
  }

  #authenticatorData(rpId: string, lies: Lies, more: number): Buffer {
    if (this.counter >= 0) this.counter += 1;
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(lies.counter ?? Math.max(0, this.counter));
    const flags = (lies.present === false ? 0 : 0x01) | (lies.verified === false ? 0 : 0x04) | more;
    return Buffer.concat([
      createHash('sha256')
        .update(lies.rpId ?? rpId)
        .digest(),
      Buffer.of(flags),
      counter,
    ]);
  }

  #clientData(type: string, challenge: string, lies: Lies): Buffer {
    const { crossOrigin = false, topOrigin } = lies;
    return Buffer.from(
      JSON.stringify({
        type,
        challenge: lies.challenge ?? challenge,
        origin: lies.origin ?? this.origin,
        crossOrigin,
        ...(topOrigin === undefined ? {} : { topOrigin }),
      }),
    );
  }

  #credential(lies: Lies, response: object): object {
    const id = lies.id ?? this.credentialId;
    return { id, rawId: id, type: 'public-key', authenticatorAttachment: 'platform', clientExtensionResults: {}, response };
  }
}

type Cbor = number | string | Buffer | Map<string | number, Cbor>;

/** RFC 8949, as much of it as a credential needs. */
function cbor(value: Cbor): Buffer {
  if (typeof value === 'number') return value >= 0 ? head(0, value) : head(1, -1 - value);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  return Buffer.concat([head(5, value.size), ...[...value].flatMap(([name, member]) => [cbor(name), cbor(member)])]);
}

function head(major: number, count: number): Buffer {
  if (count < 24) return Buffer.of((major << 5) | count);
  if (count < 256) return Buffer.of((major << 5) | 24, count);
  return Buffer.concat([Buffer.of((major << 5) | 25), uint16(count)]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
