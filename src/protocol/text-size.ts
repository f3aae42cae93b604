/**
 * Whether a text has more UTF-8 bytes than a limit. A UTF-16 unit has at most three, so that nearly every text is
 * done with its length alone, and only one that may be too large is counted.
 */
export function exceedsBytes(text: string, limit: number): boolean {
  return text.length > limit / 3 && Buffer.byteLength(text) > limit;
}
