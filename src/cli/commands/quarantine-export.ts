import { open, rename, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { AdminClient, type Whereabouts } from '../admin-client.js';
import { countOf } from '../figures.js';
import type { Terminal } from '../terminal.js';

export interface ExportSettings extends Whereabouts {
  readonly output?: string;
}

/** Writes all of the quarantine with its inputs as JSON lines. */
export async function exportQuarantine(
  { output, ...where }: ExportSettings,
  terminal: Terminal,
): Promise<void> {
  const client = await AdminClient.find(where, terminal);
  const lines = linesOf(client);
  if (output === undefined) {
    for await (const line of lines) terminal.out(line);
    return;
  }
  const count = await writeLines(resolve(terminal.cwd, output), lines);
  terminal.out(`${countOf(count, 'write')} of the quarantine in ${output}\n`);
}

async function* linesOf(client: AdminClient): AsyncGenerator<string> {
  for await (const write of client.quarantinedInputs()) yield `${JSON.stringify(write)}\n`;
}

/** The file is there when it is whole; it holds values, so only this user can read it. Gives the number of lines. */
async function writeLines(path: string, lines: AsyncIterable<string>): Promise<number> {
  const draft = `${path}.new`;
  const file = await open(draft, 'w', 0o600);
  try {
    let count = 0;
    for await (const line of lines) {
      await file.writeFile(line);
      count += 1;
    }
    await file.close();
    await rename(draft, path);
    return count;
  } catch (error) {
    await file.close();
    await rm(draft, { force: true });
    throw error;
  }
}
