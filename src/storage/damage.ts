import { GatewayError } from '../errors.js';
import type { Logger } from '../logger.js';

/** A damaged store must not fill memory or the log: beyond this many, records are refused but no longer told apart. */
const MOST_REMEMBERED = 10_000;

/** Counts the damaged records that were met, and logs each of them once. */
export class DamageReport {
  private readonly met = new Set<string>();
  private readonly waiting = new Set<string>();
  private contradicting = 0;

  constructor(private readonly logger: Logger) {}

  /** Different damaged records met since the start, and those known to be missing or too many. */
  get count(): number {
    return this.met.size + Math.max(this.contradicting, this.waiting.size);
  }

  /** Records that are there or not, against what is written of them. */
  contradiction(records: number, sentence: string): void {
    this.contradicting += records;
    this.logger.error({ records }, sentence);
  }

  /** Names what waits for a missing record; those are counted once, however they are found. */
  waits(key: string, what: string): void {
    if (this.waiting.has(key) || this.waiting.size >= MOST_REMEMBERED) return;
    this.waiting.add(key);
    this.logger.error({ waits: what }, 'Writes wait for one that is missing from the storage.');
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
