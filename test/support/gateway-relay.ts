import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** The network between workers and a gateway: it sees who asks for what, and it can fail. */
export interface Relay {
  url: string;
  /** The request lines of all upgrades, and what the gateway answered to each. */
  upgrades: { request: string; status: number | undefined }[];
  /** Loses the workers without a word to the gateway, which goes on believing in them. */
  loseWorkers(): void;
  stop(): Promise<void>;
}

export async function startRelay(port: number): Promise<Relay> {
  const upgrades: Relay['upgrades'] = [];
  const workers = new Set<Socket>();
  const gateways = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (worker) => {
    const gateway = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    workers.add(worker.on('close', () => workers.delete(worker)));
    gateways.add(gateway.on('close', () => gateways.delete(gateway)));
    for (const socket of [worker, gateway]) socket.on('error', () => {});
    const upgrade: Relay['upgrades'][number] = { request: '', status: undefined };
    upgrades.push(upgrade);
    worker.once('data', (bytes) => {
      upgrade.request = lineOf(bytes);
    });
    gateway.once('data', (bytes) => {
      upgrade.status = Number(lineOf(bytes).split(' ')[1]);
    });
    worker.on('data', (bytes) => gateway.write(bytes));
    gateway.on('data', (bytes) => worker.write(bytes));
    gateway.on('close', () => worker.destroy());
    worker.on('end', () => gateway.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    upgrades,
    loseWorkers: () => {
      for (const worker of workers) worker.resetAndDestroy();
    },
    stop: async () => {
      for (const socket of [...workers, ...gateways]) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function lineOf(bytes: Buffer): string {
  return bytes.toString('latin1').split('\r\n', 1)[0] ?? '';
}
