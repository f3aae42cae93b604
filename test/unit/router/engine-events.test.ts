import { beforeEach, describe, expect, it } from 'vitest';
import { offerEngineEvents } from '../../../src/router/engine-events.js';
import type { Router } from '../../../src/router/router.js';
import { FakeWorker, makeRouter } from '../../support/fake-worker.js';

let router: Router;
let watcher: FakeWorker;
let deferred: (() => void)[];

beforeEach(() => {
  deferred = [];
  router = makeRouter();
  offerEngineEvents(router, { defer: (work) => deferred.push(work) });
  watcher = FakeWorker.connect(router, 'watcher');
  watcher.registers('on::event');
  runDeferred();
});

function runDeferred(): number {
  const works = deferred.splice(0);
  for (const work of works) work();
  return works.length;
}

const events = () => watcher.received('invokefunction').map(({ data }) => data.value);

describe('engine::functions-available', () => {
  beforeEach(() => watcher.binds('t1', 'engine::functions-available', 'on::event', { config: null }));

  it('fires once for many changes, with all functions by id', () => {
    const worker = FakeWorker.connect(router, 'worker');
    worker.registers('svc::two');
    worker.registers('svc::one', { description: 'one' });

    expect(runDeferred()).toBe(1);
    expect(events()).toEqual([
      {
        event: 'functions_changed',
        functions: [
          { function_id: 'on::event', namespace: 'default', worker_name: 'on' },
          { function_id: 'svc::one', namespace: 'default', worker_name: 'svc', description: 'one' },
          { function_id: 'svc::two', namespace: 'default', worker_name: 'svc' },
        ],
      },
    ]);
  });

  it('fires again for later changes', () => {
    const worker = FakeWorker.connect(router, 'worker');
    worker.registers('svc::one');
    runDeferred();
    router.disconnect(worker);
    runDeferred();

    expect(events()).toHaveLength(2);
  });

  it('does not fire when nothing is different in the end', () => {
    const worker = FakeWorker.connect(router, 'worker');
    worker.registers('svc::one');
    worker.registers('svc::one', { description: 'registered again' });
    worker.says({ type: 'unregisterfunction', id: 'svc::one' });
    watcher.says({ type: 'unregisterfunction', id: 'on::event' });
    watcher.registers('on::event');

    expect(runDeferred()).toBe(1);
    expect(events()).toEqual([]);
  });

  it('does not fire once it is unregistered', () => {
    watcher.says({ type: 'unregistertrigger', id: 't1' });
    FakeWorker.connect(router, 'worker').registers('svc::one');
    runDeferred();

    expect(events()).toEqual([]);
  });
});

describe('engine::workers-available', () => {
  it('fires when a worker comes, introduces itself and goes', () => {
    watcher.binds('t1', 'engine::workers-available', 'on::event');
    const worker = FakeWorker.connect(router, 'worker');
    router.workers.introduced(worker);
    router.disconnect(worker);

    expect(events()).toEqual([
      { event: 'worker_connected', worker_id: 'worker' },
      { event: 'worker_metadata_updated', worker_id: 'worker' },
      { event: 'worker_disconnected', worker_id: 'worker' },
    ]);
  });

  it('does not tell a worker of its own going', () => {
    watcher.binds('t1', 'engine::workers-available', 'on::event');
    router.disconnect(watcher);

    expect(events()).toEqual([]);
  });
});
