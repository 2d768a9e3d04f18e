/**
 * Which Host headers are ours. A page that points its own name at our address (DNS rebinding) sends its own name, and is told 421 (RFC 9110 §15.5.20).
 */
export class HostGuard {
  /** The origins that pages of ours have. */
  readonly origins: readonly string[];
  readonly #hosts: ReadonlySet<string>;
  readonly #scheme: string;

  /** @param loopbackPort in the quickstart, the port on which loopback names are ours too. */
  constructor(publicUrl: string, loopbackPort: number | undefined) {
    const own = new URL(publicUrl);
    const loopback = loopbackPort === undefined ? [] : ['localhost', '127.0.0.1', '[::1]'].map((name) => new URL(`http://${name}:${loopbackPort}`));
    this.#scheme = own.protocol;
    this.#hosts = new Set([own, ...loopback].map((url) => url.host));
    this.origins = [...new Set([own, ...loopback].map((url) => url.origin))];
  }

  allows(host: string | undefined): boolean {
    if (host === undefined || !/^[A-Za-z0-9.:[\]-]+$/u.test(host)) return false;
    if (this.#hosts.has(host.toLowerCase())) return true;
    // A client may write the scheme's own port out; a URL leaves it away.
    return URL.canParse(`${this.#scheme}//${host}`) && this.#hosts.has(new URL(`${this.#scheme}//${host}`).host);
  }
}
