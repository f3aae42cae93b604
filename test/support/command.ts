import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const COMMAND = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** What a command said and how it ended. */
export interface Ended {
  code: number | null;
  out: string;
  err: string;
}

/** Runs `iii-state-gateway` to its end; `onReady` is called at its first words, and is to see to that end. */
export async function runCommand(
  args: string[],
  cwd: string,
  onReady: (child: ChildProcess, line: string) => unknown = () => undefined,
): Promise<Ended> {
  const child = spawn(process.execPath, [COMMAND, ...args], { cwd, env: { PATH: process.env['PATH'] } });
  const said = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const isFirst = said.out === '';
    said.out += text;
    if (isFirst) onReady(child, text);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.err += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...said };
}
