import { describe, expect, it } from 'vitest';
import { openLog } from '../../../src/cli/log.js';

function textLog(level: Parameters<typeof openLog>[0]['level']) {
  const lines: string[] = [];
  const write = (text: string) => lines.push(text);
  return { lines, log: openLog({ level, format: 'auto' }, { isTerminal: true, write }) };
}

describe('the log on a terminal', () => {
  it('is a plain line per fact, with the part that tells it', () => {
    const { lines, log } = textLog('info');
    log
      .child({ part: 'link' })
      .warn({ attempt: 2, cause: new Error('refused'), where: undefined }, 'no connection');
    log.info({}, 'stopping');
    log.error({ sizes: [1, 2] }, 'too large');
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d warn {2}link: no connection \(attempt 2, cause refused\)\n$/);
    expect(lines[1]).toMatch(/^\d\d:\d\d:\d\d info {2}stopping\n$/);
    expect(lines[2]).toMatch(/error too large \(sizes \[1,2\]\)\n$/);
  });

  it('keeps to its level', () => {
    for (const [level, count] of [
      ['trace', 4],
      ['debug', 4],
      ['info', 3],
      ['error', 1],
      ['silent', 0],
    ] as const) {
      const { lines, log } = textLog(level);
      for (const say of [log.debug, log.info, log.warn, log.error]) say({}, 'x');
      expect(lines).toHaveLength(count);
    }
  });
});

it('is not written as text where a program reads it', () => {
  const lines: string[] = [];
  const write = (text: string) => lines.push(text);
  openLog({ level: 'silent', format: 'auto' }, { isTerminal: false, write }).error({}, 'x');
  openLog({ level: 'silent', format: 'json' }, { isTerminal: true, write }).error({}, 'x');
  expect(lines).toEqual([]);
});
