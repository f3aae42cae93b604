import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type Epoch, type LinkOptions, RemoteLink, type SessionMemory } from '../../../src/remote/link.js';
import { silentLogger } from '../../support/silent-logger.js';

/** A link that is not started yet, with a memory as long as its life. */
export function linkTo(url: string, wishes: Partial<LinkOptions> = {}, logger = silentLogger()): RemoteLink {
  let session: ReturnType<SessionMemory['recall']>;
  const memory: SessionMemory = {
    recall: () => session,
    remember: (latest) => {
      session = latest;
    },
  };
  const options: LinkOptions = {
    url,
    headers: {},
    tls: {},
    connectTimeoutMs: 1000,
    workerName: 'ours',
    version: 'test',
    window: 512,
    reconnectMs: [10, 50],
    ...wishes,
  };
  return new RemoteLink(options, memory, randomUUID, logger);
}

/** Starts it and waits until it is open. */
export async function open(link: RemoteLink): Promise<Epoch> {
  const opened = nextOpen(link);
  await link.start();
  return opened;
}

export async function nextOpen(link: RemoteLink): Promise<Epoch> {
  const [epoch] = (await once(link, 'open')) as [Epoch];
  return epoch;
}
