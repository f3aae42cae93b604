#!/usr/bin/env node
import { setTimeout as sleep } from 'node:timers/promises';
import { createGateway } from '../gateway.js';
import { run } from './run.js';

/** How long what was left running may hold up the end; it is a mistake if something does. */
const LEFTOVERS_MS = 2000;

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  isTerminal: process.stderr.isTTY === true,
  isColourful: process.stdout.isTTY === true && !process.env['NO_COLOR'],
  signals: process,
  now: Date.now,
  sleep: (ms) => sleep(ms),
  exit: (code) => process.exit(code),
  createGateway,
});
setTimeout(() => process.exit(), LEFTOVERS_MS).unref();
