/** A LevelDB of its own: what the disk gives without a gateway, write by write and many writers together. */
import { createLogger, type LogLevel } from '../../../../src/logger.js';
import { Database } from '../../../../src/storage/database.js';
import { GroupCommit } from '../../../../src/storage/group-commit.js';
import { serveCommands } from '../remote-commands.js';
import { quantile } from '../spread.js';

export interface StoreCommands {
  open(input: { readonly folder: string }): Promise<void>;
  /** Synchronous puts, each after the other. */
  oneByOne(input: StoreWindow): Promise<Puts>;
  /** So many writers, each waiting for its own write, through `GroupCommit`. */
  together(input: StoreWindow & { readonly writers: number }): Promise<Puts>;
}

export interface StoreWindow {
  readonly valueBytes: number;
  readonly windowMs: number;
}

export interface Puts {
  readonly perSecond: number;
  readonly p50Ms: number;
}

const QUIET: LogLevel = 'silent';

let database: Database | undefined;
let commits: GroupCommit | undefined;
let lastKey = 0;

serveCommands<StoreCommands>({
  open: async ({ folder }) => {
    database = new Database(folder, createLogger(QUIET));
    await database.open();
    commits = new GroupCommit(database, { sync: 'every-write' });
  },
  oneByOne: (window) => writeFor(window, 1, (key, value) => opened().level.put(key, value, { sync: true })),
  together: (window) =>
    writeFor(window, window.writers, (key, value) => committing().commit([{ type: 'put', key, value }])),
});

async function writeFor(
  { valueBytes, windowMs }: StoreWindow,
  writers: number,
  write: (key: string, value: Buffer) => Promise<void>,
): Promise<Puts> {
  const value = Buffer.alloc(valueBytes, 'x');
  const latencies: number[] = [];
  const begin = performance.now();
  const writeAgainAndAgain = async () => {
    for (let now = begin; now < begin + windowMs; ) {
      await write(`bench/${lastKey++}`, value);
      const before = now;
      now = performance.now();
      latencies.push(now - before);
    }
  };
  await Promise.all(Array.from({ length: writers }, writeAgainAndAgain));
  const seconds = (performance.now() - begin) / 1_000;
  latencies.sort((a, b) => a - b);
  return { perSecond: latencies.length / seconds, p50Ms: quantile(latencies, 0.5) };
}

function opened(): Database {
  if (!database) throw new Error('the store is not open');
  return database;
}

function committing(): GroupCommit {
  if (!commits) throw new Error('the store is not open');
  return commits;
}
