import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { watchSignals } from '../../../src/cli/signals.js';

describe('signals', () => {
  it('the first asks for an end, a later one insists, and an echo of the first does neither', async () => {
    const source = new EventEmitter();
    let now = 0;
    let forced = 0;
    const signals = watchSignals(
      source,
      () => {
        forced += 1;
      },
      () => now,
    );
    source.emit('SIGINT', 'SIGINT');
    expect(await signals.first).toBe('SIGINT');
    now = 10;
    source.emit('SIGTERM', 'SIGTERM'); // as npm passes it on
    expect(forced).toBe(0);
    now = 2000;
    source.emit('SIGINT', 'SIGINT');
    expect(forced).toBe(1);
  });

  it('are not listened to any more once that is over', () => {
    const source = new EventEmitter();
    watchSignals(source, () => undefined).dispose();
    expect(source.eventNames()).toEqual([]);
  });
});
