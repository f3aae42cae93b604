import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { ReplicationStatus } from '../replication/operator.js';
import { gatewayMetrics, type MetricRow, PREFIX, replicationMetrics } from './metric-table.js';
import type { GatewayStatus } from './status.js';

/** What an event loop histogram without a sample says of its minimum, in seconds: the largest 64-bit number. */
const NO_MINIMUM = 2 ** 63 / 1e9;

/** What a scrape gets: the figures of the status, and those of the process under their usual names. */
export class Metrics {
  private readonly registry = new Registry();
  /** One status for a whole scrape, so that its figures agree. */
  private current: GatewayStatus;

  constructor(private readonly status: () => GatewayStatus) {
    this.current = status();
    for (const row of gatewayMetrics) this.add(row, () => this.current);
    if (replicates(this.current)) {
      for (const row of replicationMetrics) this.add(row, () => this.current as ReplicationStatus);
    }
    collectDefaultMetrics({ register: this.registry });
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  async text(): Promise<string> {
    this.current = this.status();
    return withoutUnknowns(await this.registry.metrics());
  }

  private add<Source>(
    { name, kind, help, labels = [], read }: MetricRow<Source>,
    source: () => Source,
  ): void {
    const options = { name: PREFIX + name, help, labelNames: [...labels], registers: [this.registry] };
    const samples = () => {
      const figures = read(source());
      return typeof figures === 'number' ? [{ value: figures }] : figures;
    };
    if (kind === 'gauge') {
      new Gauge({
        ...options,
        collect() {
          this.reset();
          for (const { labels: of = {}, value } of samples()) this.set(of, value);
        },
      });
    } else {
      new Counter({
        ...options,
        collect() {
          this.reset();
          for (const { labels: of = {}, value } of samples()) this.inc(of, value);
        },
      });
    }
  }
}

function replicates(status: GatewayStatus): status is GatewayStatus & ReplicationStatus {
  return status.writes !== undefined;
}

/** Two scrapes within milliseconds leave the event loop's figures without a sample: then they are left out. */
function withoutUnknowns(text: string): string {
  const isKnown = (line: string) => {
    if (line.startsWith('#')) return true;
    const value = line.slice(line.lastIndexOf(' ') + 1);
    return value !== 'Nan' && value !== 'NaN' && Number(value) !== NO_MINIMUM;
  };
  return text.split('\n').filter(isKnown).join('\n');
}
