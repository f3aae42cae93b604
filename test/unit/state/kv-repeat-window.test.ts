import { beforeEach, describe, expect, it } from 'vitest';
import { RepeatWindow } from '../../../src/state/adapters/kv-repeat-window.js';

let window: RepeatWindow<number>;

beforeEach(() => {
  window = new RepeatWindow({ calls: 3, bytes: 100 });
});

const remembered = (...ids: string[]) => ids.filter((id) => window.get(id) !== undefined);

function add(bytes: number, ...ids: string[]): void {
  for (const id of ids) window.add(id, 7, bytes);
}

describe('what is remembered of calls', () => {
  it('is bounded in number, the oldest going first', () => {
    add(0, 'a', 'b', 'c');
    expect(remembered('a', 'b', 'c')).toEqual(['a', 'b', 'c']);
    add(0, 'd');
    expect(remembered('a', 'b', 'c', 'd')).toEqual(['b', 'c', 'd']);
    for (let n = 0; n < 50; n += 1) add(0, `more ${n}`);
    expect(remembered('d', 'more 46', 'more 47', 'more 48', 'more 49')).toEqual([
      'more 47',
      'more 48',
      'more 49',
    ]);
  });

  it('is bounded in bytes, but for the newest', () => {
    add(40, 'a', 'b', 'c');
    expect(remembered('a', 'b', 'c')).toEqual(['b', 'c']);
    add(101, 'd');
    expect(remembered('b', 'c', 'd')).toEqual(['d']);
    add(0, 'e');
    expect(remembered('d', 'e')).toEqual(['e']);
  });

  it('of one gateway does not make room for that of another', () => {
    add(50, 'key:a', 'receipt:edge-1', 'receipt:edge-2', 'receipt:edge-3');
    expect(remembered('key:a', 'receipt:edge-1', 'receipt:edge-2')).toEqual(['key:a', 'receipt:edge-2']);
  });

  it('of receipts that are of no gateway is bounded as of one, and so is what is beyond the most families', () => {
    add(0, 'receipt:aa', 'receipt:bb', 'receipt:cc', 'receipt:dd');
    expect(remembered('receipt:aa', 'receipt:dd')).toEqual(['receipt:dd']);
    for (let n = 0; n < 10_010; n += 1) add(0, `receipt:edge${n}-1`);
    expect(remembered('receipt:edge0-1', 'receipt:edge9998-1')).toHaveLength(2);
    expect(remembered('receipt:edge10006-1', 'receipt:edge10007-1')).toEqual(['receipt:edge10007-1']);
  });
});
