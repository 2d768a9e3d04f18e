import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** The metrics of one process. Names get the prefix `countersign_`; label values must come from small closed sets, never from a request. */
export interface Metrics {
  counter<L extends string>(name: string, help: string, labels?: readonly L[]): Counter<L>;
  gauge<L extends string>(name: string, help: string, labels?: readonly L[], collect?: (gauge: Gauge<L>) => Promise<void> | void): Gauge<L>;
  /** @param buckets upper bounds; in seconds where the name ends in `_seconds`. */
  histogram<L extends string>(name: string, help: string, buckets: readonly number[], labels?: readonly L[]): Histogram<L>;
  /** The text of /metrics and its content type. */
  render(): Promise<{ readonly contentType: string; readonly text: string }>;
}

const PREFIX = 'countersign_';

/** @param processMetrics memory, CPU, event loop and garbage collection of this process; costs a timer. */
export function createMetrics(options: { readonly processMetrics?: boolean } = {}): Metrics {
  const registry = new Registry();
  if (options.processMetrics === true) collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    counter: (name, help, labels = []) => new Counter({ name: PREFIX + name, help, labelNames: [...labels], registers }),
    gauge<L extends string>(name: string, help: string, labels: readonly L[] = [], collect?: (gauge: Gauge<L>) => Promise<void> | void) {
      const gauge: Gauge<L> = new Gauge<L>({
        name: PREFIX + name,
        help,
        labelNames: [...labels],
        registers,
        ...(collect === undefined ? {} : { collect: () => collect(gauge) }),
      });
      return gauge;
    },
    histogram: (name, help, buckets, labels = []) => new Histogram({ name: PREFIX + name, help, buckets: [...buckets], labelNames: [...labels], registers }),
    render: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}
