/** Frames that went wrong on their way, the same ones for the same seed. */

/** The seed of this run: `SEED` in the environment repeats an earlier one. */
export const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

const PIECES = [
  '',
  '{',
  '}',
  '[',
  ']',
  '"',
  '\\',
  ',',
  'null',
  '-1',
  '1e999',
  '"__proto__":',
  '\u0000',
  '😀',
];

/** Cuts, doubles, moves or replaces pieces of a text, one to three times. */
export function mutate(text: string, random: () => number): string {
  let mutated = text;
  for (let times = 1 + Math.floor(random() * 3); times > 0; times -= 1) {
    const at = Math.floor(random() * mutated.length);
    const end = Math.min(mutated.length, at + 1 + Math.floor(random() * 12));
    const cut = mutated.slice(at, end);
    const pieces = [...PIECES, cut + cut, cut.repeat(200), [...cut].reverse().join('')];
    mutated = mutated.slice(0, at) + oneOf(pieces, random) + mutated.slice(end);
  }
  return mutated;
}

/** Replaces some bytes, so that even the text may be none. */
export function scramble(text: string, random: () => number): Buffer {
  const bytes = Buffer.from(text);
  for (let times = 1 + Math.floor(random() * 3); times > 0; times -= 1) {
    bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
  }
  return bytes;
}

export function oneOf<T>(choices: readonly T[], random: () => number): T {
  return choices[Math.floor(random() * choices.length)] as T;
}

/** A small generator (mulberry32), so that a seed gives the same frames again. */
export function randomFrom(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
