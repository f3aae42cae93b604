import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.js';

/**
 * Each `x.bad.yaml` stands beside `x.bad.txt`, the lines it must be answered with; each `x.good.yaml` beside
 * `x.good.json`, the notes and what must be in the configuration.
 */
const folder = fileURLToPath(new URL('../../fixtures/config/', import.meta.url));
const env = { LONG: 'a-much-longer-value-than-its-placeholder', TWO_LINES: 'one\n# two', EMPTY: '' };
const interfaces = ['10.1.2.3'];

const namesOf = (ending: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(ending))
    .map((name) => name.slice(0, -ending.length));
const read = (name: string) =>
  readFileSync(join(folder, name), 'utf8')
    .replaceAll('<here>/', folder)
    .replaceAll('<above>', dirname(folder));
const load = (file: string) => loadConfig({ file, env, cwd: folder, interfaces });

describe('a mistaken file is refused with one line per mistake', () => {
  it.each(namesOf('.bad.yaml'))('%s', (name) => {
    const expected = read(`${name}.bad.txt`).trimEnd();
    expect(() => load(`${name}.bad.yaml`)).toThrow(
      expect.objectContaining({ code: 'GATEWAY_CONFIG', message: expected }),
    );
  });
});

describe('a good file is read', () => {
  it.each(namesOf('.good.yaml'))('%s', (name) => {
    const expected = JSON.parse(read(`${name}.good.json`));
    const { config, notes } = load(`${name}.good.yaml`);
    expect({ notes, config: JSON.parse(JSON.stringify(config)) }).toMatchObject(expected);
  });
});
