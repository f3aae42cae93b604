import { beforeEach, describe, expect, it } from 'vitest';
import { EntryPages, type EntryRow, type PageCall } from '../../../src/state/entry-pages.js';

let now: number;
let ids: number;
let pages: EntryPages;

beforeEach(() => {
  now = 1_000_000;
  ids = 0;
  pages = new EntryPages({
    now: () => now,
    randomId: () => {
      ids += 1;
      return `cursor-${ids}`;
    },
  });
});

const call = (options: Partial<PageCall> = {}): PageCall => ({
  functionId: 'state::list_entries',
  scope: 's',
  caller: 'w',
  limit: 1,
  maxBytes: 1_000_000,
  ...options,
});

const read = (rows: readonly EntryRow[]) => async (admit: (row: EntryRow) => void) => {
  rows.forEach(admit);
  return [...rows];
};

const rows = (count: number, text = '1'): EntryRow[] =>
  Array.from({ length: count }, (_, n) => ({ key: `k${n}`, text }));

const begin = (count = 3, text?: string) => pages.page(call(), read(rows(count, text)));
const goOn = (cursor: string) => pages.page(call({ cursor }), () => expect.fail('a cursor reads no rows'));

it('prints the page as the engine does, values untouched', async () => {
  const page = await pages.page(
    call({ limit: 2 }),
    read([{ key: '"', text: '1.0' }, ...rows(2, '{"a":[ ]}')]),
  );
  expect(page.text).toBe(
    '{"entries":[["\\"",1.0],["k0",{"a":[ ]}]],"next_cursor":"cursor-1","done":false,"offset":0,"total":3}',
  );
});

describe('a scan ends', () => {
  it('120 s after its first call, whatever was read since', async () => {
    await begin();
    now += 119_999;
    await goOn('cursor-1');
    now += 1;
    await expect(goOn('cursor-2')).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
  });

  it('with its last page, which frees its place', async () => {
    for (let n = 0; n < 40; n += 1) {
      await begin(2);
      await goOn(`cursor-${n + 1}`);
    }
  });

  it('with an error, which frees its place', async () => {
    for (let n = 0; n < 40; n += 1) {
      await expect(
        pages.page(call({ maxBytes: 256 }), read(rows(1, `"${'x'.repeat(300)}"`))),
      ).rejects.toMatchObject({
        code: 'ROW_TOO_LARGE',
      });
      await expect(pages.page(call(), () => Promise.reject(new Error('disk')))).rejects.toThrow('disk');
    }
  });

  it('120 s after its first call, also when the reading took longer', async () => {
    await pages.page(call(), async (admit) => {
      now += 200_000;
      await begin(1); // looks for scans that are over
      return read(rows(2))(admit);
    });
    await expect(goOn('cursor-1')).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
  });
});

describe('capacity', () => {
  const full = { code: 'SNAPSHOT_CAPACITY' };

  it('is 16 scans; an abandoned one holds its place for 120 s', async () => {
    for (let n = 0; n < 16; n += 1) await begin();
    await expect(begin()).rejects.toMatchObject(full);
    await goOn('cursor-16'); // those under way go on
    now += 120_000;
    await begin();
  });

  it('counts scans that begin together', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => begin()));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(16);
  });

  it('is 100 000 rows and 32 MB for each', async () => {
    await begin(100_000);
    await expect(begin(100_001)).rejects.toMatchObject(full);
    const megabyte = `"${'ä'.repeat(499_990)}"`;
    await pages.page(call({ maxBytes: 8_000_000 }), read(rows(31, megabyte)));
    await expect(pages.page(call({ maxBytes: 8_000_000 }), read(rows(33, megabyte)))).rejects.toMatchObject(
      full,
    );
  });

  it('is 64 MB for all, and stops reading there', async () => {
    const megabyte = `"${'x'.repeat(999_990)}"`;
    await begin(31, megabyte);
    await begin(31, megabyte);
    let admitted = 0;
    const greedy = pages.page(call(), async (admit) => {
      for (const row of rows(10, megabyte)) {
        admit(row);
        admitted += 1;
      }
      return [];
    });
    await expect(greedy).rejects.toMatchObject(full);
    expect(admitted).toBe(2);
  });
});
