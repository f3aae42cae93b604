/**
 * Makes invocation ids of UUID shape that can be read back as the number they were made from, so that an
 * answer is found without a string key: a random prefix, then a counter in hex. The version and variant
 * digits are those of a random UUID.
 */
export class InvocationIds {
  private readonly prefix: string;

  /** @param randomUuid any random UUID; its first 19 digits tell our ids from anybody else's. */
  constructor(randomUuid: string) {
    this.prefix = randomUuid.slice(0, 24);
  }

  idOf(sequence: number): string {
    return this.prefix + sequence.toString(16).padStart(12, '0');
  }

  /** The number behind an id of ours; `undefined` for any other text. */
  sequenceOf(id: string): number | undefined {
    if (!id.startsWith(this.prefix)) return undefined;
    const sequence = Number.parseInt(id.slice(24), 16);
    return Number.isNaN(sequence) ? undefined : sequence;
  }
}
