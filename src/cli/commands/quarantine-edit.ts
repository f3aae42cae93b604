import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { parseJson } from '../../protocol/json.js';
import { AdminClient, type Whereabouts } from '../admin-client.js';
import { Draft } from '../draft.js';
import type { Terminal } from '../terminal.js';

export interface EditSettings extends Whereabouts {
  /** `-` is standard input. Without it an editor is opened. */
  readonly file?: string;
}

/** Sends a write in quarantine again, with another input. */
export async function editQuarantined(
  seq: number,
  { file, ...where }: EditSettings,
  terminal: Terminal,
): Promise<void> {
  const client = await AdminClient.find(where, terminal);
  if (file === undefined) await editByHand(seq, client, terminal);
  else await send(seq, await inputIn(file, terminal), client, terminal);
}

/** What was written by hand is not lost when the gateway refuses it. */
async function editByHand(seq: number, client: AdminClient, terminal: Terminal): Promise<void> {
  const { input } = await client.show(seq);
  const draft = await Draft.of(`quarantine-${seq}.json`, `${laidOut(input)}\n`);
  const edited = await draft.edit(terminal.env);
  if (!edited) {
    await draft.discard();
    terminal.out(`${seq} was not changed, and nothing was sent\n`);
    return;
  }
  try {
    await send(seq, edited, client, terminal);
  } catch (error) {
    terminal.err(`What you wrote is kept in ${draft.path}\n`);
    throw error;
  }
  await draft.discard();
}

async function send(seq: number, input: Buffer, client: AdminClient, terminal: Terminal): Promise<void> {
  const { receipt } = await client.edit(seq, input);
  terminal.out(`${seq} is accepted again with its new input, as ${receipt}\n`);
}

function inputIn(file: string, { cwd }: Terminal): Promise<Buffer> {
  return file === '-' ? buffer(process.stdin) : readFile(resolve(cwd, file));
}

/** For people, where no number would change by it. */
function laidOut(input: string): string {
  try {
    return JSON.stringify(parseJson(input), null, 2);
  } catch {
    return input; // JSON.stringify refuses what it would not print exactly
  }
}
