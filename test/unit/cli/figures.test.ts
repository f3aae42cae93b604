import { expect, it } from 'vitest';
import { count, countOf, duration, plain, size } from '../../../src/cli/figures.js';
import { bar } from '../../../src/cli/progress.js';

it.each([
  [0, '0'],
  [999, '999'],
  [1000, '1 000'],
  [1234567, '1 234 567'],
])('counts %d as %s', (value, text) => expect(count(value)).toBe(text));

it('counts one and many', () => {
  expect([0, 1, 2].map((value) => countOf(value, 'write'))).toEqual(['0 writes', '1 write', '2 writes']);
});

it.each([
  [0, '0 bytes'],
  [1023, '1023 bytes'],
  [1024, '1 KiB'],
  [1536, '1.5 KiB'],
  [2 ** 30, '1 GiB'],
  [2 ** 52, '4096 TiB'],
])('sizes %d as %s', (bytes, text) => expect(size(bytes)).toBe(text));

it.each([
  [-5, '0 ms'],
  [999, '999 ms'],
  [1500, '1.5 s'],
  [59_999, '59 s'],
  [61_000, '1 min 1 s'],
  [3_660_000, '1 h 1 min'],
  [90_000_000, '1 d 1 h'],
])('tells %d ms as %s', (ms, text) => expect(duration(ms)).toBe(text));

it('shows what would steer a terminal', () => {
  expect(plain('a\u001bb\n\u0085\u2028é😀')).toBe('a\\u001bb\\u000a\\u0085\\u2028é😀');
});

it.each([
  [{ done: 0, left: 0 }, `[${'#'.repeat(30)}] 100 %`],
  [{ done: 1, left: 1 }, `[${'#'.repeat(15)}${'-'.repeat(15)}]  50 %`],
  [{ done: 0, left: 9 }, `[${'-'.repeat(30)}]   0 %`],
])('draws %j', (progress, text) => expect(bar({ ...progress, hindrance: undefined })).toBe(text));
