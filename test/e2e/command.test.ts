import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningGateway } from '../support/gateway.js';
import { type GatewayProcess, startCommand } from '../support/gateway-process.js';
import { startHub } from '../support/hub.js';
import { Workers } from '../support/sdk.js';
import { type TempDir, tempDir } from '../support/temp-dir.js';
import { linked } from './site.js';

describe('the command start', () => {
  const workers = new Workers();
  let folder: TempDir;
  const running: RunningGateway[] = [];
  beforeEach(async () => {
    folder = await tempDir();
  });
  afterEach(async () => {
    await workers.shutdown();
    for (const part of running.splice(0)) await part.stop();
    await folder.remove();
  });
  const start = async (flags: string[] = [], env = {}): Promise<GatewayProcess> => {
    const gateway = await startCommand(['--port', '0', ...flags], { cwd: folder.path, env });
    running.push(gateway);
    return gateway;
  };
  const lamp = { scope: 'stock', key: 'lamp' };

  it('brings up an engine of its own, whose state outlives it', async () => {
    const first = await start();
    expect(first.startLine).toMatch(
      /^iii-state-gateway \d+\.\d+\.\d+ is ready: .*ws:\/\/127\.0\.0\.1:\d+.*data/,
    );
    const writer = workers.connect(first.url, 'writer');
    await writer.trigger({ function_id: 'state::set', payload: { ...lamp, value: 5 } });
    await writer.shutdown();
    expect(await first.signal('SIGINT')).toBe(0);

    const second = await start();
    const reader = workers.connect(second.url, 'reader');
    expect(await reader.trigger({ function_id: 'state::get', payload: lamp })).toBe(5);
    await reader.shutdown();
    expect(await second.signal('SIGTERM')).toBe(0);
  });

  it.for(['--remote', 'REMOTE_III_URL'])('puts a gateway before the engine that %s names', async (way) => {
    const hub = await startHub();
    running.push(hub);
    const gateway = way === '--remote' ? await start([way, hub.url]) : await start([], { [way]: hub.url });
    running.reverse(); // the gateway ends before its hub
    await linked(gateway.url);

    await workers
      .connect(gateway.url, 'writer')
      .trigger({ function_id: 'state::set', payload: { ...lamp, value: 7 } });

    const reader = workers.connect(hub.url, 'reader');
    expect(await reader.trigger({ function_id: 'state::get', payload: lamp })).toBe(7);
  });

  it('ends with workers connected', async () => {
    const gateway = await start();
    const worker = workers.connect(gateway.url, 'stays');
    await worker.trigger({ function_id: 'state::get', payload: lamp });

    expect(await gateway.signal('SIGTERM')).toBe(0);
  });
});
