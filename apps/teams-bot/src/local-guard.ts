import { isLoopbackAddress, isLoopbackHost } from '@countersign/service';
import type { IncomingMessage } from 'node:http';

/** Headers that a proxy adds: with one of them the peer is not who asks. */
const FORWARDED = /^(?:forwarded|via|x-forwarded-.+|x-real-ip|x-client-ip|x-cluster-client-ip|x-original-.+|true-client-ip|cf-connecting-ip|fly-client-ip)$/;

/**
 * Why a request may not speak for Teams while TEAMS_AUTH is off; null where it may. Then nothing but being on this machine protects,
 * so whatever a browser page or a proxy could be behind is refused. The body's serviceUrl is judged with the activity.
 */
export function localProblem(request: IncomingMessage, publicUrl: string): string | null {
  const { headers, socket } = request;
  if (!isLoopbackAddress(socket.remoteAddress)) return 'the peer is not this machine';
  if (Object.keys(headers).some((name) => FORWARDED.test(name))) return 'it came through a proxy';
  const host = headers.host ?? '';
  if (!/^[A-Za-z0-9.:[\]-]+$/.test(host) || !URL.canParse(`http://${host}`) || !isLoopbackHost(new URL(`http://${host}`).hostname))
    return 'its Host is not loopback';
  const own = [new URL(publicUrl).origin, `http://${host}`];
  if (headers.origin !== undefined && !own.includes(headers.origin)) return 'a page of another origin sent it';
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return 'a page of another origin sent it';
  return null;
}
