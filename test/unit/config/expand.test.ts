import { describe, expect, it } from 'vitest';
import { ENGINE_VERSION, expandEnvironment } from '../../../src/config/expand.js';

const env = { SET: 'value', EMPTY: '', URL: 'ws://hub:1' };

describe('variables are replaced in the text, before it is YAML', () => {
  it.each([
    ['${SET}', 'value'],
    ['a${SET}b${SET}', 'avaluebvalue'],
    ['${SET:other}', 'value'],
    ['${EMPTY:other}', ''], // a set variable wins, even an empty one
    ['${UNSET:}', ''],
    ['${UNSET:ws://localhost:49134}', 'ws://localhost:49134'], // a default may hold colons
    ['${UNSET:-x}', '-x'], // no shell forms
    ['${UNSET:${SET}}', '${SET}'], // no nesting: the default ends at the first brace
    ['${UNSET:__III_ENGINE_VERSION__}', ENGINE_VERSION],
    ['# ${SET}', '# value'], // in comments too
    ['$SET {SET} $${SET}', '$SET {SET} $value'],
  ])('%s', (text, expected) => {
    expect(expandEnvironment(text, env).text).toBe(expected);
  });

  it('names every variable that has no value, and where', () => {
    const { unset } = expandEnvironment('a: ${ONE}\n# ${TWO}\nb: ${SET} ${THREE}', env);
    expect(unset).toMatchObject([
      { name: 'ONE', line: 1, column: 4 },
      { name: 'TWO', line: 2, column: 3 },
      { name: 'THREE', line: 3, column: 11 },
    ]);
  });
});
