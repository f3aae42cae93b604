import { describe, expect, it } from 'vitest';
import { maxMessageBytes } from '../../../src/listener/message-limits.js';
import { RateLimit } from '../../../src/listener/rate-limit.js';
import { routeOf } from '../../../src/listener/routes.js';
import { Heartbeat, NotedPulse } from '../../../src/protocol/heartbeat.js';

const MIB = 1024 * 1024;
const info = (runtime: string, version: string, features: string[] = []) => ({
  name: 'w',
  os: '',
  isolation: null,
  runtime,
  version,
  features,
});

describe('the largest message that a worker reads', () => {
  it.each([
    [undefined, 64],
    [info('node', '0.22.1'), 64],
    [info('rust', '0.22.1'), 64],
    [info('python', '0.22.1'), 1],
    [info('python', '0.24.4'), 1],
    [info('python', '0.24.5'), 64],
    [info('python', '0.25.0rc1'), 64],
    [info('python', '1.0'), 64],
    [info('python', 'unknown'), 1],
    [info('python', '0.22.1', ['large-messages.v1']), 64],
  ])('%j: %i MiB', (worker, mib) => {
    expect(maxMessageBytes(worker)).toBe(mib * MIB);
  });
});

describe('a rate', () => {
  it('lets a second of calls through at once, then as many as time earns', () => {
    let now = 0;
    const rate = new RateLimit(2, () => now);
    const admitted = () => [rate.admits(), rate.admits(), rate.admits()];
    expect(admitted()).toEqual([true, true, false]);
    now = 500;
    expect(admitted()).toEqual([true, false, false]);
    now = 60_000;
    expect(admitted()).toEqual([true, true, false]);
  });

  it('does not run dry when the clock jumps back', () => {
    let now = 10_000;
    const rate = new RateLimit(1, () => now);
    rate.admits();
    now = 0;
    expect(rate.admits()).toBe(false);
    now = 1000;
    expect(rate.admits()).toBe(true);
  });

  it('of 0 is no limit', () => {
    const rate = new RateLimit(0, () => 0);
    expect(Array.from({ length: 1000 }, () => rate.admits())).not.toContain(false);
  });
});

describe('an address', () => {
  it.each([
    ['/', { kind: 'worker' }],
    ['/?token=abc', { kind: 'worker' }],
    ['/otel', { kind: 'telemetry' }],
    ['/otel?token=abc', { kind: 'telemetry' }],
    ['/ws/channels/c1?key=k&dir=read', { kind: 'channel', id: 'c1', key: 'k', direction: 'read' }],
    ['/ws/channels/c1?key=k', { kind: 'unknown' }],
    ['/ws/channels/?key=k&dir=read', { kind: 'unknown' }],
    ['/base/', { kind: 'unknown' }],
    ['//[', { kind: 'unknown' }],
  ])('%s', (url, route) => {
    expect(routeOf(url)).toEqual(route);
  });
});

describe('the heartbeat', () => {
  const connection = () => {
    const state = { heard: false, pings: 0, lost: 0 };
    const pulse = {
      heard: () => state.heard,
      ping: () => {
        state.pings += 1;
      },
      lost: () => {
        state.lost += 1;
      },
    };
    return { state, pulse };
  };

  it('ends what was silent for three rounds, and only that', () => {
    const heartbeat = new Heartbeat();
    const [silent, lively] = [connection(), connection()];
    lively.state.heard = true;
    heartbeat.add(silent.pulse);
    heartbeat.add(lively.pulse);
    for (let round = 0; round < 3; round += 1) heartbeat.beat();
    expect(silent.state).toMatchObject({ pings: 2, lost: 1 });
    expect(lively.state).toMatchObject({ pings: 3, lost: 0 });
  });

  it('forgets a connection that has ended', () => {
    const heartbeat = new Heartbeat();
    const { state, pulse } = connection();
    heartbeat.add(pulse);
    heartbeat.beat();
    heartbeat.remove(pulse);
    for (let round = 0; round < 5; round += 1) heartbeat.beat();
    expect(state).toMatchObject({ pings: 1, lost: 0 });
  });

  it('takes a connection that is new for a lively one, and a noted sign for one round', () => {
    const pulse = new NotedPulse(
      () => undefined,
      () => undefined,
    );
    expect([pulse.heard(), pulse.heard()]).toEqual([true, false]);
    pulse.note();
    pulse.note();
    expect([pulse.heard(), pulse.heard()]).toEqual([true, false]);
  });

  it('begins to count anew at any sign of life', () => {
    const heartbeat = new Heartbeat();
    const { state, pulse } = connection();
    heartbeat.add(pulse);
    heartbeat.beat();
    heartbeat.beat();
    state.heard = true;
    heartbeat.beat();
    state.heard = false;
    heartbeat.beat();
    heartbeat.beat();
    expect(state.lost).toBe(0);
  });
});
