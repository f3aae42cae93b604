// Preloaded into a gateway whose memory is measured: collects garbage when the harness asks for it.
// It speaks the language of remote-commands.ts; plain JavaScript, because the gateway runs without tsx.
import { setTimeout as sleep } from 'node:timers/promises';

const commands = {
  collectGarbage: async () => {
    for (let turn = 0; turn < 4; turn++) {
      globalThis.gc();
      await sleep(50);
    }
    const { heapUsed, external } = process.memoryUsage();
    return { heapKiB: (heapUsed + external) / 1024 };
  },
};

process.on('message', async ({ id, command, input }) => {
  process.send({ id, output: await commands[command]?.(input) });
});
process.channel?.unref(); // the probe alone keeps nobody alive
