import { type RunningGateway, startGateway } from './gateway.js';

/** The engine that owns the state: a second copy of our own, with everything in memory. */
export function startHub(port?: number): Promise<RunningGateway> {
  return startGateway(port === undefined ? {} : { port });
}
