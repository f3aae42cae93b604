import { z } from 'zod';

/** The kinds of value an option can have. Each says what it must be, so that every refusal says what is right. */

/** Zod's error parameter: one sentence for whatever is wrong with a value. */
function must(be: string) {
  return {
    error: ({ input }: { input?: unknown }) => {
      if (input === undefined) return `is missing; it must be ${be}`;
      return `must be ${be}, not ${show(input)}${quotesHint(be, input)}`;
    },
  };
}

/** A number or a truth value in quotes is text to YAML, and so it is to an engine. */
function quotesHint(be: string, input: unknown): string {
  if (typeof input !== 'string' || input.trim() === '') return '';
  const number = be.startsWith('a whole number') || be.startsWith('a number');
  const readable = number
    ? Number.isFinite(Number(input))
    : be === 'true or false' && /^(true|false)$/.test(input);
  return readable ? ': remove the quotes' : '';
}

/** A refused value in a few words. */
function show(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value !== 'string') return String(value);
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}

const LARGEST = Number.MAX_SAFE_INTEGER;

/** A whole number within bounds, both included. */
export function whole(min: number, max = LARGEST) {
  const wrong = must(`a whole number ${max === LARGEST ? `of at least ${min}` : `from ${min} to ${max}`}`);
  return z.number(wrong).int(wrong).min(min, wrong).max(max, wrong);
}

/** A number above 0, up to 1. */
export function share() {
  const wrong = must('a number above 0, up to 1');
  return z.number(wrong).gt(0, wrong).max(1, wrong);
}

/** TCP port; 0 means any free one. */
export const port = () => whole(0, 65_535);

export const flag = () => z.boolean(must('true or false'));

export function text(be = 'text') {
  const wrong = must(be);
  return z.string(wrong).min(1, wrong);
}

/** Text whose content is nobody's business: a refusal does not repeat it. */
export function secret() {
  return z.string({ error: 'must be text; a number needs quotes' });
}

export function oneOf<const T extends readonly [string, ...string[]]>(...values: T) {
  return z.enum(values, must(values.length === 1 ? `\`${values[0]}\`` : `one of ${values.join(', ')}`));
}

export function list<T extends z.ZodType>(element: T) {
  return z.array(element, must('a list'));
}

export function group<T extends z.ZodRawShape>(shape: T, be = 'a mapping of options') {
  return z.strictObject(shape, must(be));
}

/** A word instead of a group of options. */
export function wordOr<const W extends string, T extends z.ZodType>(word: W, options: T, be: string) {
  return z.union([z.literal(word), options], must(be));
}

/** Where another engine listens. The address itself is not repeated in a refusal: it may hold a password. */
export function webSocketUrl() {
  return z.string(must('a WebSocket address such as ws://hub:49134')).check(({ value, issues }) => {
    const wrong = whatIsWrongWith(value);
    if (wrong !== undefined) issues.push({ code: 'custom', message: wrong, input: value });
  });
}

function whatIsWrongWith(address: string): string | undefined {
  const right = 'write for example ws://hub:49134';
  if (address.trim() === '') return `is empty; ${right}`;
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(address)?.[1]?.toLowerCase();
  if (scheme === undefined) return `must begin with ws:// or wss://; ${right}`;
  if (scheme !== 'ws' && scheme !== 'wss')
    return `must begin with ws:// or wss://, not ${scheme}://; ${right}`;
  if (!URL.canParse(address)) return `is not an address; ${right}`;
  if (address.includes('#')) return 'must not have a fragment (#…); a WebSocket cannot carry one';
  return undefined;
}

/** As a browser sends it: scheme, host and port, nothing after them. */
export function origin() {
  const wrong = must('an origin such as https://app.example, without a path');
  return z.string(wrong).regex(/^[a-z][a-z0-9+.-]*:\/\/[^/?#\s*]+$/i, wrong);
}
