import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.js';
import { printConfig } from '../../../src/config/print.js';

const fixtures = fileURLToPath(new URL('../../fixtures/config/', import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gateway-print-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const loadText = (text: string) => {
  writeFileSync(join(folder, 'c.yaml'), text);
  return loadConfig({ file: 'c.yaml', cwd: folder, env: {}, interfaces: [] }).config;
};

describe('printConfig', () => {
  const hasSecrets = (name: string) => readFileSync(join(fixtures, name), 'utf8').includes('Authorization');
  const files = readdirSync(fixtures).filter((name) => name.endsWith('.good.yaml') && !hasSecrets(name));

  it.each(files)('prints %s so that it loads to the same', (file) => {
    const { config } = loadConfig({ file, cwd: fixtures, env: {}, interfaces: [], flags: { port: '50001' } });
    expect(loadText(printConfig(config))).toEqual(config);
  });

  it('prints any option of a custom adapter so that it loads to the same', () => {
    const unit = fc.constantFrom('$', '{', '}', ':', '\\', '"', "'", '#', ' ', '\n', '-', 'x', '1');
    fc.assert(
      fc.property(fc.string({ unit }), fc.string({ unit }), (name, value) => {
        const options = { [`o${name}`]: value, list: [value] };
        const { config } = loadConfig({ env: {}, cwd: folder, interfaces: [] });
        const state = { adapter: 'custom', module: '/x.js', config: options } as const;
        const printed = { ...config, state: { ...state, triggersEnabled: true, maxValueBytes: 0 } };
        expect(loadText(printConfig(printed))).toEqual(printed);
      }),
      { examples: [['', ' \n']] }, // a block scalar of white space alone
    );
  });

  it('masks a token in the place of a user', () => {
    const printed = (url: string) =>
      printConfig(loadConfig({ env: {}, cwd: folder, interfaces: [], flags: { remote: url } }).config);
    expect(printed('wss://s3cret@hub/x')).toContain('bridge_url: wss://********@hub/x\n');
    expect(printed('wss://me:s3cret@hub/x')).toContain('bridge_url: wss://me:********@hub/x\n');
  });

  it('masks headers, keys and passwords', () => {
    writeFileSync(join(folder, 'pem'), '');
    const printed = printConfig(
      loadText(`workers:
        - name: iii-state
          config: { adapter: { name: bridge, config: { bridge_url: "ws://me:s3cret@hub:1/x?token=s3cret" } } }
        - name: iii-state-gateway
          config: { remote: { headers: { Authorization: s3cret }, tls: { cert: pem, key: pem } } }`),
    );
    expect(printed).not.toContain('s3cret');
    expect(printed).toContain('bridge_url: ws://me:********@hub:1/x?token=********');
    expect(printed).toContain('Authorization: "********"');
    expect(printed).toContain('key: "********"');
    expect(printed).toContain(`cert: ${join(folder, 'pem')}`);
  });

  it("masks what looks like a secret in a custom adapter's options", () => {
    const printed = printConfig(
      loadText(`workers:
        - name: iii-state
          config:
            adapter:
              name: ./mine.js
              config: { url: "postgres://me:s3cret@db/x", nested: [{ password: s3cret, api_key: s3cret }], size: 5 }`),
    );
    expect(printed).not.toContain('s3cret');
    expect(printed).toContain('size: 5');
  });
});
