import { type ChildProcess, fork, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Commands, commandsOf } from './remote-commands.js';

/** A process that is not one of ours: a gateway or an engine. */
export interface Program {
  readonly name: string;
  readonly pid: number;
  readonly child: ChildProcess;
  /** Resolves with the first line on stdout; rejects if the program ends before. */
  readonly firstLine: Promise<string>;
  /** The last lines it printed, to show when something went wrong. */
  lastWords(): string;
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Gives the program an IPC channel, for a preloaded probe. */
  readonly channel?: boolean;
}

/** A process of ours, with its commands. */
export interface Role<C> {
  readonly pid: number;
  readonly commands: C;
}

/** Everything one scenario starts and creates. `close` ends the processes and removes the folders. */
export class Stage {
  readonly #children: ChildProcess[] = [];
  readonly #folders: string[] = [];

  constructor() {
    openStages.add(this);
  }

  temporaryFolder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'iii-bench-'));
    this.#folders.push(folder);
    return folder;
  }

  /** Starts one of the files in `roles/` as a process of its own. */
  startRole<C extends Commands<C>>(file: string): Role<C> {
    const path = fileURLToPath(new URL(`./roles/${file}.ts`, import.meta.url));
    const child = fork(path, [], { execArgv: ['--import', import.meta.resolve('tsx')] });
    this.#children.push(child);
    return { pid: pidOf(child, file), commands: commandsOf<C>(child, file) };
  }

  startProgram(
    name: string,
    command: string,
    args: readonly string[],
    options: ProgramOptions = {},
  ): Program {
    const child = spawn(command, args, {
      cwd: options.cwd ?? this.temporaryFolder(),
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe', ...(options.channel ? (['ipc'] as const) : [])],
    });
    this.#children.push(child);
    let tail = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        tail = (tail + text).slice(-2_000);
      });
    }
    const firstLine = new Promise<string>((resolve, reject) => {
      let printed = '';
      child.stdout?.on('data', (text: string) => {
        printed += printed.includes('\n') ? '' : text;
        if (printed.includes('\n')) resolve(printed.slice(0, printed.indexOf('\n')));
      });
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`${name} ended with code ${code}:\n${tail}`)));
    });
    firstLine.catch(() => undefined); // whoever waits for it hears of it
    return { name, pid: pidOf(child, name), child, firstLine, lastWords: () => tail };
  }

  async end(program: Program): Promise<void> {
    await endChild(program.child);
  }

  async close(): Promise<void> {
    await Promise.all(this.#children.map(endChild));
    this.#removeFolders();
    openStages.delete(this);
  }

  /** For the last moment of this process, when nothing can be awaited any more. */
  closeAtOnce(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    this.#removeFolders();
  }

  #removeFolders(): void {
    for (const folder of this.#folders.splice(0))
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

const openStages = new Set<Stage>();

/** However this process ends (but for SIGKILL), nothing it started stays behind. */
export function cleanUpOnExit(): void {
  process.on('exit', () => {
    for (const stage of openStages) stage.closeAtOnce();
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

/** Resolves when the program accepts connections on the port. */
export async function listensOn(program: Program, port: number, patienceMs = 15_000): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!(await acceptsConnections(port))) {
    if (program.child.exitCode !== null) throw new Error(`${program.name} ended:\n${program.lastWords()}`);
    if (Date.now() > deadline) throw new Error(`${program.name} does not listen:\n${program.lastWords()}`);
    await sleep(50);
  }
}

function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

function pidOf(child: ChildProcess, name: string): number {
  if (child.pid === undefined) throw new Error(`${name} could not be started`);
  return child.pid;
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const giveUp = setTimeout(() => child.kill('SIGKILL'), 2_000);
  await ended;
  clearTimeout(giveUp);
}
