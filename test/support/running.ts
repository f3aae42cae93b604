import { afterEach } from 'vitest';

/** Parts of a test that are to be stopped when it is over, the newest first. */
export function stopsAfterEach(): <T extends { stop(): Promise<void> }>(part: T) => T {
  const parts: { stop(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const part of parts.splice(0).reverse()) await part.stop();
  });
  return (part) => {
    parts.push(part);
    return part;
  };
}
