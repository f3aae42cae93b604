import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';
import { describe, expect, it } from 'vitest';

const SOURCE = join(import.meta.dirname, '../../src');

/** From the outside in: a folder may import those after it, never those before it or beside it. */
const RINGS = [
  ['cli', 'index'],
  ['gateway'],
  ['admin', 'listener', 'provider', 'relay'],
  ['router'],
  ['state'],
  ['replication'],
  ['remote', 'storage'],
  ['operations'],
  ['protocol'],
  ['metrics', 'config'],
];
/** What every folder may use, and which uses none of them. */
const COMMON = ['errors', 'lifecycle', 'logger'];

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
);

function placeOf(file: string): string {
  return (file.split(sep)[0] ?? '').replace(/\.(ts|js)$/, '');
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(SOURCE, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(([, path = '']) =>
    normalize(join(dirname(file), path)),
  );
}

function mayImport(from: string, to: string): boolean {
  if (from === to || COMMON.includes(to)) return true;
  if (COMMON.includes(from)) return false;
  const ringOf = (place: string) => RINGS.findIndex((ring) => ring.includes(place));
  return ringOf(from) >= 0 && ringOf(from) < ringOf(to);
}

describe('imports go one way', () => {
  it('every folder has its place', () => {
    const known = [...RINGS.flat(), ...COMMON];
    expect(files.map(placeOf).filter((place) => !known.includes(place))).toEqual([]);
  });

  it.each(files)('%s', (file) => {
    const wrong = importsOf(file).filter((target) => !mayImport(placeOf(file), placeOf(target)));
    expect(wrong).toEqual([]);
  });

  it('no file imports a barrel', () => {
    const barrels = files.filter((file) => importsOf(file).some((target) => /(^|\/)index\.js$/.test(target)));
    expect(barrels).toEqual([]);
  });

  it('the rule itself refuses what it should', () => {
    expect(mayImport('state', 'router')).toBe(false);
    expect(mayImport('remote', 'storage')).toBe(false);
    expect(mayImport('errors', 'protocol')).toBe(false);
    expect(mayImport('router', 'remote')).toBe(true);
  });
});
