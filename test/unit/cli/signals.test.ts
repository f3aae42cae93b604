import { EventEmitter } from 'node:events';
import { expect, it, vi } from 'vitest';
import { watchSignals } from '../../../src/cli/signals.js';

function watched() {
  const source = new EventEmitter<{ SIGINT: ['SIGINT']; SIGTERM: ['SIGTERM'] }>();
  const clock = { now: 1000 };
  const force = vi.fn();
  return { source, clock, force, signals: watchSignals(source, force, () => clock.now) };
}

it('resolves with the first signal', async () => {
  const { source, signals } = watched();
  source.emit('SIGTERM', 'SIGTERM');
  source.emit('SIGINT', 'SIGINT');
  expect(await signals.first).toBe('SIGTERM');
});

it('forces the end on a second signal, but not on the echo of the first', () => {
  const { source, clock, force } = watched();
  source.emit('SIGINT', 'SIGINT');
  clock.now += 499;
  source.emit('SIGINT', 'SIGINT');
  expect(force).not.toHaveBeenCalled();
  clock.now += 1;
  source.emit('SIGTERM', 'SIGTERM');
  expect(force).toHaveBeenCalledOnce();
});

it('lets go of the signals', () => {
  const { source, signals } = watched();
  signals.dispose();
  expect(source.eventNames()).toEqual([]);
});
