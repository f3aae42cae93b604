import { beforeEach, describe, expect, it } from 'vitest';
import { RepeatWindow } from '../../../src/state/adapters/kv-repeat-window.js';

let now: number;
let window: RepeatWindow<number>;

beforeEach(() => {
  now = 1000;
  window = new RepeatWindow({ calls: 3, ms: 100 }, () => now);
});

const idsOf = (forgotten: { id: string }[]) => forgotten.map(({ id }) => id);

describe('what is remembered of calls', () => {
  it('is bounded in number, the oldest going first', () => {
    for (const [n, id] of ['a', 'b', 'c'].entries()) {
      expect(window.add(id, n)).toEqual({ at: 1000, forgotten: [] });
    }
    expect(window.add('d', 3).forgotten).toEqual([{ id: 'a', content: 0 }]);
    expect(['a', 'b', 'c', 'd'].map((id) => window.get(id))).toEqual([undefined, 1, 2, 3]);
  });

  it('is bounded in time, and goes with the next call', () => {
    window.add('a', 1);
    now += 99;
    window.add('b', 2);
    expect(window.get('a')).toBe(1);
    now += 1;
    expect(window.get('a')).toBeUndefined();
    expect([window.isExpired('a'), window.isExpired('b'), window.isExpired('c')]).toEqual([
      true,
      false,
      false,
    ]);
    expect(idsOf(window.add('c', 3).forgotten)).toEqual(['a']);
    now += 100;
    expect(idsOf(window.add('d', 4).forgotten)).toEqual(['b', 'c']);
  });

  it('of a name that is used again begins anew', () => {
    window.add('a', 1);
    window.add('b', 2);
    now += 100;
    expect(window.add('a', 3).forgotten).toEqual([
      { id: 'a', content: 1 },
      { id: 'b', content: 2 },
    ]);
    expect(window.get('a')).toBe(3);
    now += 99;
    expect(window.get('a')).toBe(3);
  });

  it('outlives a clock that is set back', () => {
    window.add('a', 1);
    now = 0;
    expect(window.get('a')).toBe(1);
  });

  it('of one gateway does not make room for that of another', () => {
    window.add('key:a', 0);
    for (const n of [1, 2, 3]) expect(window.add(`receipt:edge-${n}`, n).forgotten).toEqual([]);
    expect(idsOf(window.add('receipt:edge-4', 4).forgotten)).toEqual(['receipt:edge-1']);
    expect(window.get('key:a')).toBe(0);
    now += 100;
    expect(window.add('key:b', 5).forgotten).toHaveLength(4);
  });

  it('is taken up again after a restart', () => {
    window.restore('a', 1, 900);
    window.restore('b', 2, 950);
    expect([window.get('a'), window.get('b')]).toEqual([undefined, 2]);
    expect(idsOf(window.add('c', 3).forgotten)).toEqual(['a']);
  });
});
