import { GatewayError } from '../errors.js';
import type { Logger } from '../logger.js';

/** A damaged store must not fill memory or the log: beyond this many, records are refused but no longer told apart. */
const MOST_REMEMBERED = 10_000;

/** Counts the damaged records that were met, and logs each of them once. */
export class DamageReport {
  private readonly met = new Set<string>();

  constructor(private readonly logger: Logger) {}

  /** Different damaged records met since the start. */
  get count(): number {
    return this.met.size;
  }

  /**
   * The error for a damaged record.
   * @param key its key in the database
   * @param what the record in the reader's words, like `the value of key "k" in scope "s"`
   */
  found(key: string, what: string): GatewayError {
    if (!this.met.has(key) && this.met.size < MOST_REMEMBERED) {
      this.met.add(key);
      this.logger.error({ record: what }, 'A record in the storage is damaged and is not given out.');
    }
    return new GatewayError('GATEWAY_STORAGE', `In the storage, ${what} is damaged; it is not given out.`);
  }
}
