import { describe, expect, it } from 'vitest';
import { editDistance, nearestName } from '../../../src/config/suggest.js';

describe('editDistance', () => {
  it.each([
    ['', '', 0],
    ['port', 'port', 0],
    ['prot', 'port', 1],
    ['por', 'port', 1],
    ['sport', 'port', 1],
    ['part', 'port', 1],
    ['', 'port', 4],
    ['kitten', 'sitting', 3],
  ])('from %o to %o is %i', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
    expect(editDistance(b, a)).toBe(distance);
  });
});

describe('nearestName', () => {
  const known = ['data_dir', 'patience_ms', 'name'];

  it('finds the nearest, whatever its spelling', () => {
    expect(nearestName('dataDir', known)).toBe('data_dir');
    expect(nearestName('DATA-DRI', known)).toBe('data_dir');
    expect(nearestName('nam', known)).toBe('name');
  });

  it('finds nothing where nothing is near', () => expect(nearestName('retention', known)).toBeUndefined());
});
