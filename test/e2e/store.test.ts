import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Ended, runCommand } from '../support/command.js';
import { startCommand } from '../support/gateway-process.js';
import { type TempDir, tempDir } from '../support/temp-dir.js';

describe('the command store', () => {
  let folder: TempDir;
  beforeEach(async () => {
    folder = await tempDir();
  });
  afterEach(() => folder.remove());
  const store = (...args: string[]): Promise<Ended> => runCommand(['store', ...args], folder.path);

  it.each(['verify', 'repair', 'export'])('%s refuses where there is no store', async (command) => {
    expect(await store(command)).toMatchObject({
      code: 4,
      err: expect.stringMatching(/^There is no store in /),
    });
  });

  it('refuses a folder that a gateway runs on, which goes on; and works once it is stopped', async () => {
    const gateway = await startCommand(['--port', '0'], { cwd: folder.path });
    const refusals = [await store('verify'), await store('repair', '--yes'), await store('export')];
    expect(await gateway.signal('SIGTERM')).toBe(0);
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({
        code: 4,
        out: '',
        err: expect.stringMatching(/stop the gateway first/),
      });
    }
    expect(await store('verify')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/The store is whole\.\n$/),
    });
    const json = await store('verify', '--json');
    expect(JSON.parse(json.out)).toMatchObject({ whole: true, damaged: 0, records: { identity: 1 } });
    expect(await store('repair', '--yes')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/nothing was changed/),
    });
  });
});
