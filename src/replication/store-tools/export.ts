import { findMark } from '../../storage/high-water-mark.js';
import { decodeEntry, ENTRIES, type Entry, QUARANTINE, seqIn } from '../log/layout.js';
import { timeOf } from '../log/receipts.js';
import { decodeLearnt, nameOf } from '../mirror/layout.js';
import { idOf } from './identity-record.js';
import { inspect } from './inspect.js';
import type { Inspected } from './inspection.js';
import { rowsOf } from './rows.js';
import { describeDamaged, soundBody, spaceOf } from './spaces.js';
import { StoreSite } from './store-site.js';

/**
 * Everything in a stopped gateway's store that a person may need, as lines of JSON: writes that wait, writes in
 * quarantine, conflicts, what is known of the remote, and what is damaged. Values are given to the digit as they came.
 * @throws GatewayError `GATEWAY_STORAGE`: in use, no store, of another format, or beyond reading.
 */
export async function* exportLines(dataDir: string): AsyncGenerator<string> {
  const site = await StoreSite.take(dataDir);
  try {
    const inspected = await inspect(site.store, dataDir, await findMark(dataDir));
    try {
      yield* linesOf(inspected);
    } finally {
      await inspected.copy.close();
    }
  } finally {
    await site.release();
  }
}

async function* linesOf({ copy, inspection }: Inspected): AsyncGenerator<string> {
  const { refusal, files, lanes } = inspection;
  if (refusal !== undefined) yield line({ kind: 'damaged', record: `the store as a whole: ${refusal}` });
  for (const file of files) yield line({ kind: 'damaged', record: file });
  const receipts = receiptsOf(await idOf(copy));
  for await (const rows of rowsOf(copy)) {
    for (const [key, record] of rows) {
      const body = soundBody(key, record);
      if (!body) yield line({ kind: 'damaged', ...describeDamaged(key, record) });
      else if (key.startsWith(ENTRIES) && lanes?.settled.has(seqIn(ENTRIES, key))) continue;
      else yield* lineOf(key, body, receipts);
    }
  }
}

type Receipts = (seq: number) => { receipt?: string; seq: number };

function receiptsOf(id: string | undefined): Receipts {
  return (seq) => (id === undefined ? { seq } : { receipt: `${id}-${seq}`, seq });
}

function* lineOf(key: string, body: Buffer, receipts: Receipts): Generator<string> {
  switch (spaceOf(key).name) {
    case 'entries': {
      const entry = decodeEntry(seqIn(ENTRIES, key), body);
      yield line({ kind: 'pending', ...callOf(entry, receipts) }, 'input', entry.write.payload.text);
      return;
    }
    case 'quarantined': {
      const end = 4 + body.readUInt32BE(0);
      const { reason, settledAt, error } = JSON.parse(body.toString('utf8', 4, end)) as {
        reason: string;
        settledAt: number;
        error?: { code: string; message: string };
      };
      const entry = decodeEntry(seqIn(QUARANTINE, key), body.subarray(end));
      const why = { reason, settled_at: timeOf(settledAt), error };
      yield line(
        { kind: 'quarantined', ...callOf(entry, receipts), ...why },
        'input',
        entry.write.payload.text,
      );
      return;
    }
    case 'conflicts': {
      const { value, ...conflict } = JSON.parse(body.toString()) as { value?: string };
      yield line({ kind: 'conflict', ...conflict }, 'value', value);
      return;
    }
    case 'mirror_values': {
      const name = nameOf(key);
      const { known, at } = decodeLearnt(body);
      if (name.kind !== 'value') return;
      const about = { kind: 'known', scope: name.scope, key: name.key, learnt_at: timeOf(at) };
      if (known.kind === 'value') yield line(about, 'value', known.text);
      else yield line({ ...about, absent: true });
    }
  }
}

function callOf({ seq, acceptedAt, write }: Entry, receipts: Receipts): object {
  const { functionId, scope, key } = write;
  return { ...receipts(seq), scope, key, function_id: functionId, accepted_at: timeOf(acceptedAt) };
}

/** One line; what is JSON text already goes in as it is, since to parse it could change its numbers. */
function line(about: object, member?: string, text?: string): string {
  const head = JSON.stringify(about);
  if (member === undefined || text === undefined) return `${head}\n`;
  return `${head.slice(0, -1)},"${member}":${text.replaceAll(/[\r\n]/g, ' ')}}\n`;
}
