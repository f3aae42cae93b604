import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { loadConfig } from '../../../src/config/load.js';
import { refusedYet } from '../../../src/config/not-yet.js';
import { optionsAt } from '../../../src/config/options.js';
import { valueAt, withoutKeys } from '../../../src/config/paths.js';
import { gatewayBlock, kvAdapter, listenerBlock, stateBlock } from '../../../src/config/schema.js';

const folder = fileURLToPath(new URL('../../../config/', import.meta.url));
const text = readFileSync(`${folder}default.yaml`, 'utf8');
const scopeShape = gatewayBlock.shape.scopes.unwrap().element.in.shape;
const [listener, state, gateway] = parse(text).workers;

describe('config/default.yaml', () => {
  it('has every option with its default', () => {
    expect(listener.config).toEqual(listenerBlock.parse({}));
    const { adapter, ...options } = stateBlock.parse({});
    expect(state.config).toEqual({
      ...options,
      adapter: { name: adapter.name, config: kvAdapter.parse({}) },
    });
    const here = withoutKeys([...refusedYet.keys()], gatewayBlock.parse({}), 'iii-state-gateway');
    expect(gateway.config).toEqual(here);
  });

  it('shows the options without a default in comments', () => {
    const blocks = [
      ['iii-worker-manager', listenerBlock, listener.config],
      ['iii-state', stateBlock, state.config],
      ['kv', kvAdapter, state.config.adapter.config],
      ['iii-state-gateway', gatewayBlock, gateway.config],
    ] as const;
    for (const [name, schema, written] of blocks) {
      for (const key of leavesOf(schema, name)) {
        const path = key.slice(name.length + 1).split('.');
        if (valueAt(written, path) === undefined) expect(text).toMatch(new RegExp(`# ${path.at(-1)}: `));
      }
    }
  });

  it('shows the options of a rule for scopes in comments, with their defaults', () => {
    const lines = text.slice(text.indexOf('scopes: []')).split('\n').slice(1, -1);
    expect(lines.filter((line) => !/^ {8}# .*: .+ # /.test(line))).toEqual([]);
    const [shown] = parse(lines.map((line) => line.replace('# ', '')).join('\n'));
    const [all] = gatewayBlock.parse({ scopes: [{}] }).scopes;
    expect(shown).toEqual(withoutKeys([...refusedYet.keys()], all, 'iii-state-gateway.scopes[]'));
    expect(Object.keys(shown).length).toBeGreaterThan(4);
  });

  it('has a comment on every option', () => {
    const options = text.split('\n').filter((line) => /^ {6,}[a-z_# ]+: /.test(line) && !/^ *#/.test(line));
    expect(options.length).toBeGreaterThan(20);
    expect(options.filter((line) => !line.includes(' # '))).toEqual([]);
  });

  it.each(['default.yaml', 'kv.yaml', 'bridge.yaml'])('%s loads', (name) => {
    const { config } = loadConfig({ file: folder + name, env: {}, interfaces: [] });
    expect(config.listener).toEqual({ host: '127.0.0.1', port: 49134 });
    expect(config.state.adapter).toBe(name === 'bridge.yaml' ? 'bridge' : 'kv');
  });
});

describe('the schema', () => {
  it('describes every option of this version', () => {
    const shapes = { ...listenerBlock.shape, ...stateBlock.shape, ...gatewayBlock.shape, ...scopeShape };
    for (const [name, schema] of Object.entries(shapes)) {
      if (!refusedYet.has(`iii-state-gateway.${name}`))
        expect(z.globalRegistry.get(schema)?.description, name).toBeTruthy();
    }
  });

  it('knows every option that is not there yet', () => {
    for (const key of refusedYet.keys()) {
      const [, ...path] = key.replace('[]', '.0').split('.');
      expect(optionsAt(gatewayBlock, path.slice(0, -1))).toContain(path.at(-1));
    }
  });
});

/** Whole keys of all options that hold no further options and are there in this version. */
function leavesOf(schema: z.ZodType, root: string, path: string[] = []): string[] {
  return optionsAt(schema, path).flatMap((option) => {
    const key = [root, ...path, option].join('.');
    if (refusedYet.has(key)) return [];
    const inner = leavesOf(schema, root, [...path, option]);
    return inner.length > 0 ? inner : [key];
  });
}
