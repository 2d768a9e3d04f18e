import type { IncomingMessage } from 'node:http';

/** What is known of a request beside its bytes; made by the HTTP service for each one, before any handler. */
export class RequestContext {
  /** On every answer as `x-request-id`, in problems and in the log. */
  readonly id: string;
  /** The origin that problem types start with. */
  readonly publicUrl: string;
  /**
   * The path as a template, for logs and metrics, such as `/v1/action-requests/{id}`: a router sets it once it knows.
   * Until then the mount's own path, never what the client wrote.
   */
  route: string;
  #controller: AbortController | undefined;
  #aborted: 'client_gone' | 'shutting_down' | undefined;

  constructor(id: string, publicUrl: string, route: string) {
    this.id = id;
    this.publicUrl = publicUrl;
    this.route = route;
  }

  /**
   * Aborts when the client has gone (`reason` is `client_gone`) or the service stops (`shutting_down`): whoever holds an answer back, as long polls
   * and event streams do, answers early then. Made on first use, because most requests never wait.
   */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted);
    }
    return this.#controller.signal;
  }

  /** For the HTTP service. */
  abort(reason: 'client_gone' | 'shutting_down'): void {
    if (this.#aborted !== undefined) return;
    this.#aborted = reason;
    this.#controller?.abort(reason);
  }
}

/** A request keeps its identity through Express, which only changes its prototype; so the context hangs on the object and no header can forge it. */
const contexts = new WeakMap<IncomingMessage, RequestContext>();

/** The context of a request that came through the HTTP service. */
export function requestContext(request: IncomingMessage): RequestContext {
  const known = contexts.get(request);
  if (known !== undefined) return known;
  // A handler that runs without the service, as in a test of its own.
  const context = new RequestContext('none', 'http://localhost', 'unknown');
  contexts.set(request, context);
  return context;
}

/** For the HTTP service. */
export function attachContext(request: IncomingMessage, context: RequestContext): void {
  contexts.set(request, context);
}
