/**
 * The slow and exact JSON reader and printer, for texts that hold a number JavaScript would change.
 * Numbers as the engine reads them (real-engine-facts, "Poison frames"): integers of up to 64 bits are exact,
 * larger ones become floats, `-0` becomes `-0.0`.
 */
import { type Json, type JsonObject, setMember, WholeFloat } from './json.js';

const MAX_U64 = 2n ** 64n - 1n;
const MIN_I64 = -(2n ** 63n);

/** One token: a string (its escapes left to JSON.parse), a number, a word or a mark; white space before it is skipped. */
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
const SPACE = /[ \t\n\r]*/y;

/** @throws SyntaxError, RangeError as `parseJson` does. */
export function parseExactly(text: string): Json {
  // First the engine of JavaScript itself: what it refuses is not JSON, so below only valid text is read.
  JSON.parse(text);
  return new Reader(text).read();
}

class Reader {
  private at = 0;

  constructor(private readonly text: string) {}

  read(): Json {
    this.skip(SPACE);
    switch (this.text[this.at]) {
      case '{':
        return this.object();
      case '[':
        return this.array();
      case '"':
        return this.string();
      case 't':
      case 'f':
      case 'n':
        return JSON.parse(this.skip(WORD)) as Json;
      default:
        return toNumber(this.skip(NUMBER));
    }
  }

  private object(): JsonObject {
    const object: JsonObject = {};
    this.at += 1;
    while (this.next() !== '}') {
      if (this.text[this.at] === ',') this.at += 1;
      this.skip(SPACE);
      const name = this.string();
      this.next();
      this.at += 1; // the colon
      setMember(object, name, this.read());
    }
    this.at += 1;
    return object;
  }

  private array(): Json[] {
    const items: Json[] = [];
    this.at += 1;
    while (this.next() !== ']') {
      if (this.text[this.at] === ',') this.at += 1;
      items.push(this.read());
    }
    this.at += 1;
    return items;
  }

  private string(): string {
    let end = this.text.indexOf('"', this.at + 1);
    while (isEscaped(this.text, end)) end = this.text.indexOf('"', end + 1);
    const token = this.text.slice(this.at, end + 1);
    this.at = end + 1;
    return JSON.parse(token) as string;
  }

  private next(): string | undefined {
    this.skip(SPACE);
    return this.text[this.at];
  }

  private skip(token: RegExp): string {
    token.lastIndex = this.at;
    const found = token.exec(this.text)?.[0] ?? '';
    this.at += found.length;
    return found;
  }
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text[at - 1 - backslashes] === '\\') backslashes += 1;
  return backslashes % 2 === 1;
}

function toNumber(token: string): number | bigint | WholeFloat {
  const value = Number(token);
  if (/^-?\d+$/.test(token) && token !== '-0') {
    if (Number.isSafeInteger(value)) return value;
    const integer = BigInt(token);
    if (integer >= MIN_I64 && integer <= MAX_U64) return integer;
  }
  if (!Number.isFinite(value)) throw new RangeError(`number ${token.slice(0, 40)} is out of range`);
  return Number.isInteger(value) ? new WholeFloat(value) : value;
}

/** Prints what `JSON.stringify` cannot. */
export function printExactly(value: Json): string {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof WholeFloat) return printFloat(value.value);
  if (Array.isArray(value)) return `[${value.map(printExactly).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(
      ([name, item]) => `${JSON.stringify(name)}:${printExactly(item)}`,
    );
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}

function printFloat(value: number): string {
  const text = Object.is(value, -0) ? '-0' : String(value);
  return text.includes('e') ? text : `${text}.0`;
}
