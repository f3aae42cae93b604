import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { writeConfig } from '../support/gateway.js';
import { tempDir } from '../support/temp-dir.js';

/** A scope of a crash run, and the rule it has. */
export interface ScopeCase {
  readonly scope: string;
  readonly rule: object;
  /** What a fresh write must come to by itself, whatever happened before: its key neither waits nor loses. */
  readonly flows?: true;
  /** All its keys are one lane. */
  readonly ordered?: true;
  /** Its writes have an idempotency key, and are sent again until an answer comes. */
  readonly repeats?: true;
  /** Somebody else writes there, too, through the remote. */
  readonly contested?: true;
}

const IN_ORDER = { order: 'scope', on_refusal: 'skip' };

/** To try an option of `scopes[]` under crashes, add a line. One that the gateway does not take yet is left out. */
const CASES: readonly ScopeCase[] = [
  { scope: 'through', rule: {}, flows: true },
  { scope: 'behind', rule: { write: 'behind' }, flows: true },
  { scope: 'blind', rule: { blind_writes: true }, flows: true },
  { scope: 'marker', rule: { settle: 'marker' }, flows: true },
  { scope: 'marker-behind', rule: { settle: 'marker', write: 'behind' }, flows: true },
  { scope: 'single-writer', rule: { single_writer: true }, flows: true },
  { scope: 'one-order', rule: IN_ORDER, flows: true, ordered: true },
  { scope: 'one-order-holds', rule: { order: 'scope' }, ordered: true },
  { scope: 'holds', rule: { on_refusal: 'hold' } },
  { scope: 'coalesces', rule: { coalesce: true, write: 'behind' }, flows: true },
  { scope: 'contested', rule: {}, flows: true, contested: true },
  { scope: 'parks', rule: { conflict: 'park' }, contested: true },
  { scope: 'parks-behind', rule: { conflict: 'park', write: 'behind' }, contested: true },
  { scope: 'remote-wins', rule: { conflict: 'remote-wins' }, contested: true },
  { scope: 'remote-wins-behind', rule: { conflict: 'remote-wins', write: 'behind' }, contested: true },
  { scope: 'parks-in-order', rule: { ...IN_ORDER, conflict: 'park' }, contested: true, ordered: true },
  { scope: 'loses-in-order', rule: { ...IN_ORDER, conflict: 'remote-wins' }, contested: true, ordered: true },
  { scope: 'expires', rule: { expire_ms: 400, write: 'behind' } },
  { scope: 'expires-in-order', rule: { expire_ms: 400, order: 'scope' }, ordered: true },
  { scope: 'drops-oldest', rule: { overflow: 'drop-oldest', write: 'behind' } },
  { scope: 'reports', rule: { retain: 'report', retain_ms: 2000 }, flows: true },
  { scope: 'repeats', rule: {}, flows: true, repeats: true },
  { scope: 'repeats-behind', rule: { write: 'behind' }, flows: true, repeats: true },
  { scope: 'repeats-expire', rule: { write: 'behind', expire_ms: 400 }, repeats: true },
];

const COMMAND = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const run = promisify(execFile);

/** The cases whose rules this build takes. */
export async function casesTaken(): Promise<ScopeCase[]> {
  if (await isTaken(CASES)) return [...CASES];
  const taken = await Promise.all(CASES.map((one) => isTaken([one])));
  return CASES.filter((_, at) => taken[at]);
}

export function rulesOf(cases: readonly ScopeCase[]): object[] {
  return cases.map(({ scope, rule }) => ({ match: scope, ...rule }));
}

async function isTaken(cases: readonly ScopeCase[]): Promise<boolean> {
  const folder = await tempDir();
  try {
    const options = { remote: 'ws://127.0.0.1:1', gateway: { scopes: rulesOf(cases) } };
    await run(process.execPath, [COMMAND, 'validate', await writeConfig(folder.path, options)]);
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === 3) return false; // refused; anything else is no answer
    throw error;
  } finally {
    await folder.remove();
  }
}
