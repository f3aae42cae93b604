import { type ChildProcess, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'vitest';

/** One published SDK, in a virtual environment of its own. */
export interface PythonSdk {
  version: string;
  /** The interpreter that has it. */
  executable: string;
}

const pythonSdk = (version: string, variable: string): PythonSdk => ({
  version,
  executable: process.env[variable] || checkout(`.venv-${minorOf(version)}/bin/python`),
});

const SDKS = [pythonSdk('0.22.1', 'III_PYTHON_0_22'), pythonSdk('0.25.0', 'III_PYTHON_0_25')];
const START_MS = 15_000;

/**
 * Defines a suite for each Python SDK. One that is not installed is skipped, by a sentence that says how to get it;
 * where all tools are required, it fails.
 */
export function describePython(name: string, define: (sdk: PythonSdk) => void): void {
  for (const sdk of SDKS) {
    const title = `${name} (Python iii-sdk ${sdk.version})`;
    if (existsSync(sdk.executable)) describe(title, () => define(sdk));
    else if (process.env['REQUIRE_TOOLS'] === '1')
      it(title, () => {
        throw new Error(missing(sdk));
      });
    else describe.skip(`${title}: ${missing(sdk)}`, () => define(sdk));
  }
}

function missing({ version, executable }: PythonSdk): string {
  const venv = `.venv-${minorOf(version)}`;
  return `the package iii-sdk ${version} of PyPI is not at ${executable}; get it with: python3 -m venv ${venv} && ${venv}/bin/pip install iii-sdk==${version}`;
}

export interface PythonWorker {
  /** What it printed and complained, for the message of a test that fails. */
  output(): string;
  stop(): Promise<void>;
}

export interface PythonOptions {
  url: string;
  name: string;
  telemetry?: boolean;
}

/** Runs a program of `test/e2e/programs` as a worker; resolves when it says `ready`. */
export async function startPython(
  { executable }: PythonSdk,
  program: string,
  { url, name, telemetry = false }: PythonOptions,
): Promise<PythonWorker> {
  const script = fileURLToPath(new URL(`../e2e/programs/${program}`, import.meta.url));
  const child = spawn(executable, ['-u', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, III_URL: url, WORKER_NAME: name, OTEL_ENABLED: String(telemetry) },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  const stop = () => end(child);
  try {
    await saysReady(child);
  } catch (error) {
    await stop();
    throw new Error(`${program} did not get ready: ${output}`, { cause: error });
  }
  return { output: () => output, stop };
}

async function saysReady(child: ChildProcess): Promise<void> {
  const lines = createInterface({ input: child.stdout as Readable });
  const signal = AbortSignal.timeout(START_MS);
  for await (const [line] of on(lines, 'line', { signal, close: ['close'] })) if (line === 'ready') return;
  throw new Error('it ended');
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL'); // it is told to go, not asked: an SDK without a connection may take its time
  await ended;
}

function checkout(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}

function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}
