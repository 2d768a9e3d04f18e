/** How often a page looks by itself: a lost event heals, and a page without a stream stays true. */
const LOOK_MS = 5000;
const NAME = 'countersign-changes';

/**
 * Calls back when something that the reader may see has changed, and every few seconds in any case.
 *
 * Browsers give an origin six connections over HTTP/1.1, for all its tabs together; a stream for each tab would leave the seventh
 * tab without any. So one tab holds the stream and tells the others.
 */
export function onChange(callback: () => void): () => void {
  const ended = new AbortController();
  const { signal } = ended;
  const channel = new BroadcastChannel(NAME);
  channel.addEventListener('message', callback);
  const timer = setInterval(callback, LOOK_MS);
  // Web Locks need a secure origin (https, or loopback); elsewhere looking must do.
  if (navigator.locks !== undefined) {
    navigator.locks
      .request(NAME, { signal }, () =>
        holdStream(signal, () => {
          callback();
          channel.postMessage(null);
        }),
      )
      .catch(() => undefined); // given up before it was this tab's turn
  }
  return () => {
    ended.abort();
    clearInterval(timer);
    channel.close();
  };
}

/** Holds the event stream until the signal, and the lock with it; the browser reconnects by itself. */
function holdStream(signal: AbortSignal, changed: () => void): Promise<void> {
  return new Promise((resolve) => {
    const source = new EventSource('/v1/events');
    source.addEventListener('changed', changed);
    const end = (): void => {
      source.close();
      resolve();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}
