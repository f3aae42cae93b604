import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ENGINE_VERSION, expandEnvironment } from '../../../src/config/expand.js';

const expand = (text: string, env: Record<string, string> = {}) => expandEnvironment(text, env).text;

describe('expandEnvironment', () => {
  it.each([
    ['a set variable', 'port: ${PORT}', { PORT: '1' }, 'port: 1'],
    ['a default', 'port: ${PORT:3112}', {}, 'port: 3112'],
    ['a set variable over its default', '${PORT:3112}', { PORT: '1' }, '1'],
    ['a set but empty variable over its default', '[${A:x}]', { A: '' }, '[]'],
    ['an empty default', '[${A:}]', {}, '[]'],
    ['a default with colons', '${REDIS:redis://h:6379}', {}, 'redis://h:6379'],
    ['no shell forms', '${A:-x}', {}, '-x'],
    ['a default ends at the first brace', '${A:{x}}', {}, '{x}'],
    ['no nesting', '${A:${B:c}}', { B: 'b' }, '${B:c}'],
    ['a value that looks like a placeholder', '${A}', { A: '${B}', B: 'b' }, '${B}'],
    ['a value with a replacement pattern', '${A}', { A: "$&$1$'" }, "$&$1$'"],
    ['comments too', '# ${A:b}', {}, '# b'],
    ['several on one line', '${A}${B}-${A}', { A: 'a', B: 'b' }, 'ab-a'],
    ['a name of any letters', '${my var.é}', { 'my var.é': 'x' }, 'x'],
    ['a default over lines', '${A:one\ntwo}', {}, 'one\ntwo'],
    ['no name, no placeholder', '${} ${:x} $A {A} $', {}, '${} ${:x} $A {A} $'],
    ['an unclosed one is text', '${A', { A: 'a' }, '${A'],
    ['the engine version', '${V:__III_ENGINE_VERSION__}', {}, ENGINE_VERSION],
    ['a variable over the engine version', '${V:__III_ENGINE_VERSION__}', { V: '1' }, '1'],
    ['nothing inherited from objects', '${constructor:x}${__proto__:y}', {}, 'xy'],
  ])('replaces %s', (_, text, env, expected) => {
    expect(expand(text, env as unknown as Record<string, string>)).toBe(expected);
  });

  it('reports every variable without value and default, also in comments, where it was written', () => {
    const { unset, text } = expandEnvironment('a: ${LONG} ${X}\n# ${Y} ${X}\n', { LONG: 'one\ntwo' });
    expect(unset).toEqual([
      { name: 'X', line: 1, column: 12 },
      { name: 'Y', line: 2, column: 3 },
      { name: 'X', line: 2, column: 8 },
    ]);
    expect(text).toContain('${X}');
  });

  it('knows where the expanded text stands in the text as written', () => {
    const written = 'a: ${A:xx}, b: ${B}\nc: ${C} d';
    const { text, positionOf } = expandEnvironment(written, { B: 'two\nlines', C: '' });
    const positionOfWord = (word: string) => positionOf(text.indexOf(word));
    expect(positionOfWord('a:')).toEqual({ line: 1, column: 1 });
    expect(positionOfWord('xx')).toEqual({ line: 1, column: 4 });
    expect(positionOfWord('b:')).toEqual({ line: 1, column: 13 });
    expect(positionOfWord('lines')).toEqual({ line: 1, column: 16 });
    expect(positionOfWord('c:')).toEqual({ line: 2, column: 1 });
    expect(positionOfWord(' d')).toEqual({ line: 2, column: 8 });
    expect(positionOf(text.length)).toEqual({ line: 2, column: 10 });
  });

  it('leaves text without placeholders and its positions alone', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', '\n', '$', '{', ':', ' ') }),
        fc.nat(),
        (text, n) => {
          const offset = n % (text.length + 1);
          const expansion = expandEnvironment(text, {});
          expect(expansion.text).toBe(text);
          const before = text.slice(0, offset).split('\n');
          const column = (before.at(-1) ?? '').length + 1;
          expect(expansion.positionOf(offset)).toEqual({ line: before.length, column });
        },
      ),
    );
  });
});
