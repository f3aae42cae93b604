/**
 * LevelDB's list of tables (`MANIFEST-…`, which `CURRENT` names): a log of changes to it. Read here to learn which files
 * there should be, since LevelDB does not miss a log, and deletes tables that it does not know.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { partsOf } from './leveldb-log.js';

export interface Manifest {
  /** Tables in use, by number, and their sizes. */
  tables: Map<number, number>;
  /** The log that was written to when it was last changed; 0: it does not say. */
  log: number;
}

/** Kinds of fields in a change. */
const COMPARATOR = 1;
const LOG_NUMBER = 2;
const NEXT_FILE = 3;
const LAST_SEQUENCE = 4;
const COMPACT_POINTER = 5;
const DELETED_FILE = 6;
const NEW_FILE = 7;
const PREVIOUS_LOG = 9;

/** Undefined: it cannot be found or read. */
export async function readManifest(storeFolder: string): Promise<Manifest | undefined> {
  try {
    const current = (await readFile(join(storeFolder, 'CURRENT'), 'utf8')).trim();
    const manifest: Manifest = { tables: new Map(), log: 0 };
    for await (const part of partsOf(join(storeFolder, current))) {
      if (part.kind === 'damage') return undefined;
      if (part.kind === 'record') apply(manifest, new Fields(part.data));
    }
    return manifest;
  } catch {
    return undefined; // opening it tells why
  }
}

function apply(manifest: Manifest, fields: Fields): void {
  while (fields.hasMore) {
    const kind = fields.number();
    switch (kind) {
      case COMPARATOR:
        fields.skipBytes();
        break;
      case LOG_NUMBER:
        manifest.log = fields.number();
        break;
      case NEXT_FILE:
      case LAST_SEQUENCE:
      case PREVIOUS_LOG:
        fields.number();
        break;
      case COMPACT_POINTER:
        fields.number(); // level
        fields.skipBytes();
        break;
      case DELETED_FILE:
        fields.number(); // level
        manifest.tables.delete(fields.number());
        break;
      case NEW_FILE: {
        fields.number(); // level
        const file = fields.number();
        manifest.tables.set(file, fields.number());
        fields.skipBytes(); // smallest key
        fields.skipBytes(); // largest key
        break;
      }
      default:
        throw new TypeError(`unknown field ${kind} in a manifest`);
    }
  }
}

/** Numbers of variable length, seven bits a byte, and bytes with their length before them. */
class Fields {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  get hasMore(): boolean {
    return this.at < this.bytes.length;
  }

  number(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.bytes[this.at];
      if (byte === undefined) throw new TypeError('a change in a manifest ends too early');
      this.at += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  skipBytes(): void {
    const length = this.number(); // which moves on itself
    this.at += length;
  }
}
