/**
 * Frames that a real engine drops without an answer (real-engine-facts, "Poison frames"): a caller whose frame
 * is forwarded waits for ever, and a log that holds one never drains. They are found at the door.
 * Cheap filters first; the exact look is taken only where one hits.
 */

/** Levels of nesting that an engine reads, the frame itself included. */
const MAX_DEPTH = 127;
const ESCAPED_SURROGATE = /\\u[dD][89a-fA-F]/;

/** What is poisonous about a frame's text, or `undefined`. Numbers beyond a double are found by `parseJson`. */
export function findPoison(text: string): string | undefined {
  if (mayBeDeep(text) && depthOf(text) > MAX_DEPTH) return `nested deeper than ${MAX_DEPTH} levels`;
  if (text.includes('\\u') && ESCAPED_SURROGATE.test(text) && hasLoneSurrogate(text)) {
    return 'a string holds half of a surrogate pair';
  }
  return undefined;
}

function mayBeDeep(text: string): boolean {
  let opened = 0;
  for (const bracket of ['{', '[']) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      opened += 1;
      if (opened > MAX_DEPTH) return true;
    }
  }
  return false;
}

function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '\\') at += 1;
    else if (char === '"') inString = !inString;
    else if (!inString && (char === '{' || char === '[')) {
      depth += 1;
      deepest = Math.max(deepest, depth);
    } else if (!inString && (char === '}' || char === ']')) depth -= 1;
  }
  return deepest;
}

/** A `\u` escape that is half of a pair and stands without the other half. */
function hasLoneSurrogate(text: string): boolean {
  let highEndsAt = -1;
  // Every escape is a match, so that the second backslash of `\\ud800` is never taken for the start of one.
  for (const { 0: token, 1: hex, index } of text.matchAll(/\\(?:u([0-9a-fA-F]{4})|[^u])/g)) {
    const unit = hex === undefined ? 0 : Number.parseInt(hex, 16);
    const isLow = unit >= 0xdc00 && unit <= 0xdfff;
    const followsHigh = highEndsAt === index;
    if (isLow !== followsHigh || (highEndsAt >= 0 && !followsHigh)) return true;
    highEndsAt = unit >= 0xd800 && unit <= 0xdbff ? index + token.length : -1;
  }
  return highEndsAt >= 0;
}
