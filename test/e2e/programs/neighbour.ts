import type { NodeWorker } from '../../support/sdk-node.js';

/** Greets when asked, and asks others to greet. */
export function neighbour(worker: NodeWorker, name: string): void {
  worker.register(`greet::${name}`, async ({ from }: { from: string }) => `hello ${from}, this is ${name}`);
  worker.register(`ask::${name}`, ({ whom }: { whom: string }) =>
    worker.call(`greet::${whom}`, { from: name }),
  );
}
