import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StateFunctionId } from '../../../src/operations/calls.js';
import { decodeInput } from '../../../src/operations/inputs.js';
import type { JsonObject } from '../../../src/protocol/json.js';
import { Payload } from '../../../src/protocol/payload.js';
import { Conflicts, type Met } from '../../../src/replication/log/conflicts.js';
import { decodeEntry, encodeEntry, LoggedWrite } from '../../../src/replication/log/layout.js';
import { ABSENT, knownValue, UNKNOWN } from '../../../src/replication/view.js';
import type { WriteInput } from '../../../src/replication/write.js';
import { Database } from '../../../src/storage/database.js';
import { silentLogger } from '../../support/silent-logger.js';
import { type TempDir, tempDir } from '../../support/temp-dir.js';

let folder: TempDir;
let database: Database;
let conflicts: Conflicts;

const reopened = async () => {
  const opened = new Conflicts(
    database,
    (seq) => `g-${seq}`,
    () => 5000,
  );
  await opened.load();
  return opened;
};

beforeEach(async () => {
  folder = await tempDir();
  database = new Database(folder.path, silentLogger());
  await database.open();
  conflicts = await reopened();
});

afterEach(async () => {
  await database.close();
  await folder.remove();
});

/** A write as the log gives it back. */
function entryOf(functionId: StateFunctionId, more: JsonObject, seq = 7) {
  const payload = Payload.of({ scope: 's', key: 'k', ...more });
  const input = decodeInput(functionId, payload).input as WriteInput;
  const write = LoggedWrite.of({ input, payload });
  return decodeEntry(
    seq,
    encodeEntry({ acceptedAt: 1000, write, inScopeOrder: false, sent: false, isAlone: false }),
  );
}

const SET = entryOf('state::set', { value: 1 });
const LOST: Met = { outcome: 'lost', policy: 'remote-wins', base: ABSENT, other: knownValue('theirs') };

const record = (entry = SET, met = LOST) => database.level.batch(conflicts.record(entry, met));
const numbers = async (after = 0, limit = 1000) =>
  (await conflicts.list(after, limit)).map(({ number }) => number);

describe('a conflict', () => {
  it('is shown with base and both values, to the digit, and listed without', async () => {
    const entry = entryOf('state::set', { value: 12345678901234567890n });
    await record(entry, { outcome: 'won', policy: 'local-wins', base: ABSENT, other: knownValue('theirs') });
    const told = {
      number: 1,
      receipt: 'g-7',
      outcome: 'won',
      policy: 'local-wins',
      scope: 's',
      key: 'k',
      function_id: 'state::set',
      at: '1970-01-01T00:00:05.000Z',
    };
    expect(await conflicts.list(0, 10)).toEqual([told]);
    expect(conflicts.show(1)).toEqual({
      ...told,
      base: { kind: 'absent' },
      local: { kind: 'value', text: '12345678901234567890' },
      remote: { kind: 'value', text: '"theirs"' },
    });
  });

  it('of a delete is one with no value; of an update, with its input', async () => {
    await record(entryOf('state::delete', {}), { ...LOST, base: UNKNOWN });
    const ops = [{ type: 'increment', path: 'n', by: 1 }];
    await record(entryOf('state::update', { ops }));
    expect(conflicts.show(1)).toMatchObject({ base: { kind: 'unknown' }, local: { kind: 'absent' } });
    expect(conflicts.show(2).local).toEqual({
      kind: 'input',
      text: JSON.stringify({ scope: 's', key: 'k', ops }),
    });
  });

  it('that is not there is none', () => {
    expect(() => conflicts.show(1)).toThrow(expect.objectContaining({ code: 'GATEWAY_NOT_FOUND' }));
  });
});

describe('the list', () => {
  it('goes on where it was after a restart', async () => {
    await record();
    conflicts = await reopened();
    await record();
    expect(await numbers()).toEqual([1, 2]);
  });

  it('comes in pages, which a damaged record does not cut short', async () => {
    for (let n = 0; n < 5; n += 1) await record();
    const [second] = await database.level.keys({ gt: 'conflict/000000000001', limit: 1 }).all();
    await database.level.put(second as string, Buffer.from('damaged'));
    expect(await numbers(0, 3)).toEqual([1, 3, 4]);
    expect(await numbers(4, 3)).toEqual([5]);
    expect(() => conflicts.show(2)).toThrow(expect.objectContaining({ code: 'GATEWAY_NOT_FOUND' }));
  });

  it('keeps the newest 10 000, whatever the numbers of the writes', async () => {
    await database.level.batch(Array.from({ length: 10_000 }, () => conflicts.record(SET, LOST)).flat());
    conflicts = await reopened();
    await record(entryOf('state::set', { value: 1 }, 3));
    await record(entryOf('state::set', { value: 1 }, 4_000_000));
    const kept = await numbers(0, 20_000);
    expect(kept).toHaveLength(10_000);
    expect([kept[0], kept.at(-1)]).toEqual([3, 10_002]);
  });
});
