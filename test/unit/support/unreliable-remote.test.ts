import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { Frame } from '../../support/frame-log.js';
import { RawWorker } from '../../support/raw-worker.js';
import { stopsAfterEach } from '../../support/running.js';
import { UnreliableRemote, type UnreliableRemoteOptions } from '../../support/unreliable-remote.js';

const stopLater = stopsAfterEach();

async function started(options: UnreliableRemoteOptions = {}) {
  const remote = stopLater(await UnreliableRemote.start(options));
  return { remote, worker: await connect(remote) };
}

async function connect(remote: UnreliableRemote): Promise<RawWorker> {
  return stopLater(await RawWorker.connect(remote.url));
}

const set = (worker: RawWorker, key: string, value: unknown, more: object = {}) =>
  worker.call('state::set', { scope: 's', key, value }, more);

/** Everything sent before it was read, for frames of a connection are read in order. */
const caughtUp = (worker: RawWorker) => worker.call('state::list_groups', {});

const answersOf = (worker: RawWorker, functionId: string) =>
  worker.frames.filter(({ type, function_id }) => type === 'invocationresult' && function_id === functionId);

async function greetingOf(worker: RawWorker): Promise<Frame> {
  return worker.received(({ type }) => type === 'workerregistered');
}

describe('an unreliable remote that is told nothing', () => {
  it('keeps state in the shapes of the engine, and a journal of its writes', async () => {
    const { remote, worker } = await started();
    const at = { scope: 's', key: 'k' };
    expect(await worker.call('state::get', at)).not.toHaveProperty('result');
    expect((await set(worker, 'k', { n: 1 }))['result']).toEqual({ old_value: null, new_value: { n: 1 } });
    const ops = [{ type: 'increment', path: 'n', by: 2 }];
    const metadata = { iii_state_gateway: { via: ['g'], receipt: 'g-7' } };
    expect((await worker.call('state::update', { ...at, ops }, { metadata }))['result']).toEqual({
      old_value: { n: 1 },
      new_value: { n: 3 },
    });
    expect((await worker.call('state::list', { scope: 's' }))['result']).toEqual([{ n: 3 }]);
    expect((await worker.call('state::delete', at))['result']).toEqual({ n: 3 });
    expect((await worker.call('state::list_groups', {}))['result']).toEqual({ groups: ['s'] });
    const { worker_id } = await greetingOf(worker);
    expect(remote.journalOf('s', 'k')).toMatchObject([
      {
        function_id: 'state::set',
        value: { n: 1 },
        before: undefined,
        after: { n: 1 },
        connection: worker_id,
      },
      { function_id: 'state::update', ops, before: { n: 1 }, after: { n: 3 }, receipt: 'g-7' },
      { function_id: 'state::delete', before: { n: 3 }, after: undefined, lost: false },
    ]);
    expect(remote.value('s', 'k')).toBeUndefined();
    await remote.executed(3);
  });

  it('refuses malformed inputs and unknown functions', async () => {
    const { remote, worker } = await started();
    expect((await worker.call('state::set', { scope: 5 }))['error']).toMatchObject({
      code: 'deserialization_error',
    });
    expect((await worker.call('no::such', {}))['error']).toMatchObject({ code: 'function_not_found' });
    expect((await worker.call('state::list_keys', { scope: 's' }))['error']).toMatchObject({
      code: 'function_not_found',
    });
    expect(remote.journal).toEqual([]);
  });

  it.each([
    [{}, { adapter: { name: 'kv' } }],
    [
      { adapter: 'bridge', triggersEnabled: false },
      { adapter: { name: 'bridge' }, triggers_enabled: false },
    ],
    [{ adapter: 'unset' }, {}],
  ] as [UnreliableRemoteOptions, object][])('tells its configuration: %j', async (options, value) => {
    const { worker } = await started(options);
    expect((await worker.call('configuration::get', { id: 'iii-state' }))['result']).toEqual({
      id: 'iii-state',
      value,
    });
  });

  it('does not tell it where there is nobody to tell', async () => {
    const { worker } = await started({ adapter: 'untold' });
    expect((await worker.call('configuration::get', { id: 'iii-state' }))['error']).toMatchObject({
      code: 'function_not_found',
    });
  });
});

describe('its workers', () => {
  it('are listed while they are connected, if they told a pid; a reattach makes the old one leave', async () => {
    const { remote, worker } = await started();
    const watcher = await connect(remote);
    await worker.call('engine::workers::register', { name: 'w', pid: 7, runtime: 'node' });
    const { worker_id, reattach_token } = await greetingOf(worker);
    const listed = async () => {
      const { workers } = (await watcher.call('engine::workers::list', {}))['result'] as { workers: Frame[] };
      return workers;
    };
    expect(await listed()).toMatchObject([{ id: worker_id, name: 'w', status: 'connected' }]);

    const next = await connect(remote);
    next.send({ type: 'reattach', previous_worker_id: worker_id, reattach_token: 'wrong' });
    await caughtUp(next);
    expect(await listed()).toHaveLength(1);
    next.send({ type: 'reattach', previous_worker_id: worker_id, reattach_token });
    await worker.closed;
    expect(await listed()).toEqual([]);
  });

  it('are told of the changes that their triggers watch', async () => {
    const { remote, worker } = await started();
    const config = { scope: 's' };
    worker.send({ type: 'registertrigger', id: 't', trigger_type: 'state', function_id: 'f', config });
    expect((await worker.call('engine::registered-triggers::list', { function_id: 'f' }))['result']).toEqual({
      registered_triggers: [
        {
          id: 't',
          trigger_type: 'state',
          function_id: 'f',
          worker_name: 'iii-state',
          config,
          config_summary: '{"scope":"s"}',
        },
      ],
    });
    await set(worker, 'k', 1);
    remote.writesElsewhere('other', 'k', 1);
    remote.deletesElsewhere('s', 'k');
    await caughtUp(worker);
    expect(worker.callsOf('f').map(({ data }) => data)).toEqual([
      { type: 'state', event_type: 'state:created', scope: 's', key: 'k', old_value: null, new_value: 1 },
      { type: 'state', event_type: 'state:deleted', scope: 's', key: 'k', old_value: 1, new_value: null },
    ]);
    worker.send({ type: 'unregistertrigger', id: 't', trigger_type: 'state' });
    await set(worker, 'k', 2);
    await caughtUp(worker);
    expect(worker.callsOf('f')).toHaveLength(2);
  });

  it('are told in the order that the test says, or of nothing', async () => {
    const { remote, worker } = await started();
    worker.send({ type: 'registertrigger', id: 't', trigger_type: 'state', function_id: 'f', config: {} });
    await caughtUp(worker);
    remote.holdEvents();
    await set(worker, 'k', 1);
    await set(worker, 'k', 2);
    expect(worker.callsOf('f')).toEqual([]);
    remote.releaseEvents('reversed');
    remote.loseEvents();
    await set(worker, 'k', 3);
    await caughtUp(worker);
    expect(worker.callsOf('f').map(({ data }) => (data as Frame)['new_value'])).toEqual([2, 1]);
    remote.loseEvents(false);
    remote.eventsFirst = true;
    await set(worker, 'k', 4);
    expect(worker.callsOf('f')).toHaveLength(3);
  });
});

describe('its faults', () => {
  it('hit the calls that are meant, as many as are meant, the newest order first', async () => {
    const { remote, worker } = await started();
    const all = remote.refuse('FIRST', { scope: 's' });
    const one = remote.refuse('SECOND', { functionId: 'state::set', key: 'k' }, 1);
    const codes: unknown[] = [];
    for (let n = 0; n < 2; n += 1) codes.push(((await set(worker, 'k', n))['error'] as Frame)['code']);
    expect(codes).toEqual(['SECOND', 'FIRST']);
    expect([all.calls.length, one.calls.length]).toEqual([1, 1]);
    await one.met();
    remote.answerNormally();
    expect(await set(worker, 'k', 2)).toHaveProperty('result');
    expect(remote.journal).toHaveLength(1);
  });

  it('drop: neither executed nor answered; silent: executed, not answered', async () => {
    const { remote, worker } = await started();
    remote.drop({ key: 'dropped' });
    remote.silent({ key: 'silent' });
    void set(worker, 'dropped', 1);
    void set(worker, 'silent', 1);
    await caughtUp(worker);
    expect([remote.value('s', 'dropped'), remote.value('s', 'silent')]).toEqual([undefined, 1]);
    expect(answersOf(worker, 'state::set')).toEqual([]);
    expect(remote.callsOf('state::set', 's', 'dropped')).toHaveLength(1);
  });

  it('delay: executed after others that came later', async () => {
    const { remote, worker } = await started();
    remote.delay(30, { key: 'k' }, 1);
    const delayed = set(worker, 'k', 1);
    await set(worker, 'k', 2);
    expect((await delayed)['result']).toEqual({ old_value: 2, new_value: 1 });
    expect(remote.overlaps).toMatchObject([{ key: 'k' }]);
  });

  it('late: executed at once, answered when released', async () => {
    const { remote, worker } = await started();
    const late = remote.late({ key: 'k' }, 1);
    const answer = set(worker, 'k', 1);
    await remote.executed(1);
    await caughtUp(worker);
    expect(answersOf(worker, 'state::set')).toEqual([]);
    late.release();
    expect((await answer)['result']).toEqual({ old_value: null, new_value: 1 });
  });

  it('executeLate: executed when released, long after its connection', async () => {
    const { remote, worker } = await started();
    const twin = remote.executeLate({ key: 'k' }, 1);
    void set(worker, 'k', 'late');
    await twin.met();
    remote.cut();
    await worker.closed;
    await set(await connect(remote), 'k', 'new');
    twin.release();
    expect(remote.journalOf('s', 'k').map(({ after }) => after)).toEqual(['new', 'late']);
    expect(remote.overlaps).toEqual([]);
  });

  it('refuse: not executed; errorButExecute: executed', async () => {
    const { remote, worker } = await started();
    remote.refuse('FORBIDDEN', { key: 'refused' });
    remote.errorButExecute({ key: 'executed' });
    expect((await set(worker, 'refused', 1))['error']).toMatchObject({ code: 'FORBIDDEN' });
    expect((await set(worker, 'executed', 1))['error']).toMatchObject({ code: 'SET_ERROR' });
    expect(remote.journal.map(({ key }) => key)).toEqual(['executed']);
  });
});

describe('its connections and its memory', () => {
  it('die: nobody listens; revive: the same port, with its state or without', async () => {
    const { remote, worker } = await started();
    await set(worker, 'k', 1);
    await remote.die();
    expect(await worker.closed).toBe(1006);
    const refused = new WebSocket(remote.url);
    expect((await once(refused, 'error'))[0]).toMatchObject({ code: 'ECONNREFUSED' });

    await remote.revive();
    const next = await connect(remote);
    expect((await next.call('state::get', { scope: 's', key: 'k' }))['result']).toBe(1);
    await remote.die();
    await remote.revive('lost');
    const last = await connect(remote);
    expect(await last.call('state::get', { scope: 's', key: 'k' })).not.toHaveProperty('result');
  });

  it('forget: restarts without its newest writes', async () => {
    const { remote, worker } = await started();
    for (const n of [1, 2, 3]) await set(worker, 'k', n);
    remote.forget(2);
    await worker.closed;
    expect(remote.value('s', 'k')).toBe(1);
    expect(remote.journal.map(({ lost }) => lost)).toEqual([false, true, true]);
    remote.forget(1);
    expect(remote.value('s', 'k')).toBeUndefined();
  });

  it('blackHole: connections stand and nothing passes, pings included; heal: all of it arrives', async () => {
    const { remote, worker } = await started();
    const late = remote.late({ key: 'before' });
    const before = set(worker, 'before', 1);
    await late.met();
    remote.blackHole();
    late.release();
    const inside = set(worker, 'inside', 1);
    const pongs: string[] = [];
    worker.socket.on('pong', () => pongs.push('pong')).ping();
    const stranger = new WebSocket(remote.url);
    let strangerIsIn = false;
    stranger.on('open', () => {
      strangerIsIn = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([remote.journal.length, answersOf(worker, 'state::set').length]).toEqual([1, 0]);
    expect([pongs, strangerIsIn, worker.socket.readyState]).toEqual([[], false, WebSocket.OPEN]);

    remote.heal();
    expect((await before)['result']).toEqual({ old_value: null, new_value: 1 });
    expect((await inside)['result']).toEqual({ old_value: null, new_value: 1 });
    await once(stranger, 'open');
    stranger.terminate();
    await expect.poll(() => pongs).toEqual(['pong']);
  });
});
