import { describe, expect, it } from 'vitest';
import { gatewayBlock, kvAdapter, listenerBlock, stateBlock } from '../../../src/config/schema.js';
import { toCamel, toSnake } from '../../../src/config/spelling.js';

describe('spelling', () => {
  it('turns every option into camelCase and back', () => {
    for (const schema of [gatewayBlock, listenerBlock, stateBlock, kvAdapter]) {
      const options = schema.parse({});
      expect(JSON.stringify(toCamel(options))).not.toMatch(/"\w+_\w+":/);
      expect(toSnake(toCamel(options))).toEqual(options);
    }
  });

  it('leaves the names of headers alone', () => {
    const headers = { 'X-a_b': '1', xY: '2' };
    expect(toCamel({ headers })).toEqual({ headers });
    expect(toSnake({ headers })).toEqual({ headers });
  });
});
