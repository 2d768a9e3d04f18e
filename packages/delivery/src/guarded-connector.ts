/**
 * The connector under every callback: undici opens no socket but through it. It judges a literal address, every answer of a look-up,
 * and then the peer of the connected socket, before TLS or HTTP sends its first byte. (A guarded look-up alone is not enough:
 * a literal never reaches it.)
 */
import { lookup as systemLookup } from 'node:dns/promises';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { isNativeError } from 'node:util/types';
import { buildConnector } from 'undici';
import { judgeAddress, type CallbackPolicy, type Destination } from './address-guard.js';
import { DeliveryError } from './errors.js';

export interface ResolvedAddress {
  address: string;
  family: number;
}

export interface GuardOptions {
  policy: CallbackPolicy;
  /** For the look-up with the TCP connection, and again for the TLS handshake. */
  connectTimeoutMs: number;
  /** All addresses of a name; the system's resolver by default. */
  resolve?: (hostname: string) => Promise<ResolvedAddress[]>;
  /** Opens the TCP connection; undici's own by default. It is handed the guarded look-up. */
  dial?: (options: buildConnector.Options & { lookup: LookupFunction }, callback: buildConnector.Callback) => void;
  /** More certificate authorities to trust, in PEM, besides Node's. */
  ca?: NonNullable<ConnectionOptions['ca']>;
}

/**
 * The `connect` of an undici Agent.
 * A blocked destination ends in DeliveryError `address_blocked`, with nothing sent; other failures are the socket's own errors.
 */
export function guardedConnector(options: GuardOptions): buildConnector.connector {
  const { policy, connectTimeoutMs, resolve = resolveAll } = options;
  const secure = buildConnector({ timeout: connectTimeoutMs, ...(options.ca === undefined ? {} : { ca: options.ca }) });

  return (to, callback) => {
    const https = to.protocol === 'https:';
    const port = Number(to.port) || (https ? 443 : 80);
    const guard = (address: string) => refusalOf({ address, hostname: to.hostname.toLowerCase(), port, https }, policy);

    if (isIP(to.hostname) !== 0) {
      const refused = guard(to.hostname);
      if (refused) return callback(refused, null);
    }
    const lookup = guardedLookup(resolve, guard);
    const dial = options.dial ?? ((target, done) => buildConnector({ timeout: connectTimeoutMs, lookup: target.lookup })(target, done));

    // First the bare TCP connection, also under https: a TLS hello is bytes already.
    dial({ ...to, protocol: 'http:', port: String(port), lookup }, (error, socket) => {
      if (error !== null) return callback(error, null);
      const refused = peerRefusal(socket, guard);
      if (refused) {
        socket.destroy();
        return callback(refused, null);
      }
      if (!https) return callback(null, socket);
      secure({ ...to, port: String(port), httpSocket: socket }, callback);
    });
  };
}

/** A look-up for net.connect that fails where any of the answers is denied: one bad answer makes the name untrustworthy. */
function guardedLookup(resolve: (hostname: string) => Promise<ResolvedAddress[]>, guard: (address: string) => DeliveryError | undefined): LookupFunction {
  return (hostname, { all }, callback) => {
    resolve(hostname).then(
      (answers) => {
        // Copied before they are judged, so that what is judged is what is connected to.
        const addresses = answers.map(({ address, family }) => ({ address, family }));
        const [first] = addresses;
        const refused = addresses.map(({ address }) => guard(address)).find((each) => each !== undefined);
        if (refused) callback(refused, '', 0);
        else if (!first) callback(Object.assign(new Error('the name has no address'), { code: 'ENOTFOUND' }), '', 0);
        else if (all) callback(null, addresses);
        else callback(null, first.address, first.family);
      },
      (error: unknown) => callback(isNativeError(error) ? error : new Error('look-up failed', { cause: error }), '', 0),
    );
  };
}

function peerRefusal(socket: Socket, guard: (address: string) => DeliveryError | undefined): Error | undefined {
  if (socket.remoteAddress === undefined) return Object.assign(new Error('the connection closed at once'), { code: 'ECONNRESET' });
  return guard(socket.remoteAddress);
}

function refusalOf(to: Destination, policy: CallbackPolicy): DeliveryError | undefined {
  const judged = judgeAddress(to, policy);
  return judged.ok ? undefined : new DeliveryError('address_blocked', `${judged.reason}: ${judged.detail}`);
}

function resolveAll(hostname: string): Promise<ResolvedAddress[]> {
  return systemLookup(hostname, { all: true, order: 'verbatim' });
}
