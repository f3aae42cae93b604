import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openToken, tokenFile } from '../../../src/admin/token.js';
import { type SilentLogger, silentLogger } from '../../support/silent-logger.js';

let folder: string;
let path: string;
let logger: SilentLogger;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gateway-token-'));
  path = tokenFile(folder);
  logger = silentLogger();
});
afterEach(() => rmSync(folder, { recursive: true }));

const modeOf = (file: string) => statSync(file).mode & 0o777;

it('is made at first, for its owner alone', async () => {
  const token = await openToken(folder, logger);
  const text = readFileSync(path, 'utf8').trim();
  expect(text).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(modeOf(path)).toBe(0o600);
  expect(token.is(text)).toBe(true);
  expect(readdirSync(folder)).toEqual(['admin-token']);
  expect(logger.lines).toEqual([]);
});

it('is another one in every folder', async () => {
  const other = join(folder, 'other');
  mkdirSync(other);
  await openToken(folder, logger);
  await openToken(other, logger);
  expect(readFileSync(path, 'utf8')).not.toBe(readFileSync(tokenFile(other), 'utf8'));
});

it('stays the same, also one that an operator has chosen', async () => {
  writeFileSync(path, 'my own choice'.replaceAll(' ', '-'), { mode: 0o600 });
  const token = await openToken(folder, logger);
  expect(token.is('my-own-choice')).toBe(true);
  expect(readFileSync(path, 'utf8')).toBe('my-own-choice');
});

it.each(['', 'x', 'wrong-token-wrong-token-wrong-token-wrong-t'])('is not %j', async (presented) => {
  const token = await openToken(folder, logger);
  expect(token.is(presented)).toBe(false);
});

it('is not stopped by what a crash left of making it', async () => {
  writeFileSync(`${path}.new`, 'half');
  await openToken(folder, logger);
  expect(readdirSync(folder)).toEqual(['admin-token']);
});

it('is closed to others, with a warning, if it was open', async () => {
  writeFileSync(path, 'secret-of-mine');
  chmodSync(path, 0o644);
  await openToken(folder, logger);
  expect(modeOf(path)).toBe(0o600);
  expect(logger.lines).toMatchObject([{ level: 'warn', sentence: expect.stringContaining('open to other') }]);
  expect(JSON.stringify(logger.lines)).not.toContain('secret-of-mine');
});

it.each([
  ['an empty file', () => writeFileSync(path, '\n', { mode: 0o600 }), /is empty: delete the file/],
  ['no word', () => writeFileSync(path, 'a b', { mode: 0o600 }), /not one word of printable ASCII/],
  ['a folder', () => mkdirSync(path, { mode: 0o700 }), /cannot be used \(EISDIR/],
])('refuses %s as storage that is refused', async (_, make, sentence) => {
  make();
  await expect(openToken(folder, logger)).rejects.toMatchObject({
    code: 'GATEWAY_STORAGE',
    message: expect.stringMatching(sentence),
  });
});
