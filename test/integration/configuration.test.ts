import { describe, expect, it } from 'vitest';
import { startGateway } from '../support/gateway.js';
import { RawWorker } from '../support/raw-worker.js';
import { stopsAfterEach } from '../support/running.js';

const stopLater = stopsAfterEach();

async function entry(options: object, id: string) {
  const gateway = stopLater(await startGateway(options));
  const worker = stopLater(await RawWorker.connect(gateway.url));
  return worker.call('configuration::get', { id });
}

describe('configuration::get', () => {
  it('tells where state lives, as an engine does', async () => {
    expect((await entry({}, 'iii-state'))['result']).toEqual({
      id: 'iii-state',
      value: { adapter: { name: 'kv' }, triggers_enabled: true },
    });
  });

  it('tells that calls are passed on, and that nothing fires', async () => {
    const options = { remote: 'ws://127.0.0.1:1', state: { triggers_enabled: false } };
    expect((await entry(options, 'iii-state'))['result']).toMatchObject({
      value: { adapter: { name: 'bridge' }, triggers_enabled: false },
    });
  });

  it('knows no other entry', async () => {
    expect((await entry({}, 'iii-stream'))['error']).toMatchObject({ code: 'NOT_FOUND' });
  });
});
