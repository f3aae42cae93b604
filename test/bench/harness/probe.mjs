// Preloaded into a gateway: collects garbage when the harness asks for it, and watches the event loop.
// It speaks the language of remote-commands.ts; plain JavaScript, because the gateway runs without tsx.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

const eventLoop = monitorEventLoopDelay({ resolution: 1 });

const commands = {
  watchEventLoop: async () => {
    eventLoop.reset();
    eventLoop.enable();
  },
  longestStall: async () => {
    eventLoop.disable();
    return { ms: eventLoop.max / 1e6 };
  },
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
