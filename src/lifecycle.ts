/** A part that runs: `start` and `stop` may be called at any time and more than once. */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts the services in order and returns the function that stops them in reverse.
 * If one fails to start, those already running are stopped, and its error comes out.
 */
export async function startAll(services: readonly Service[]): Promise<() => Promise<void>> {
  const running: Service[] = [];
  const stopAll = async () => {
    const failures: unknown[] = [];
    for (let service = running.pop(); service; service = running.pop()) {
      await service.stop().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures.length === 1 ? failures[0] : new AggregateError(failures);
  };
  for (const service of services) {
    try {
      await service.start();
      running.push(service);
    } catch (error) {
      await stopAll().catch(() => undefined); // the first failure is the one worth telling
      throw error;
    }
  }
  return stopAll;
}
