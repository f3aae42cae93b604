import type { QuarantinedWrite } from '../../replication/operator.js';
import { AdminClient, type Whereabouts } from '../admin-client.js';
import { countOf, plain, size } from '../figures.js';
import { details, table } from '../table.js';
import type { Terminal } from '../terminal.js';
import { callText, jsonText } from '../write-texts.js';

/** Lists the writes that wait for an operator, without their values. */
export async function listQuarantine(
  where: Whereabouts & { json?: boolean },
  terminal: Terminal,
): Promise<void> {
  const client = await AdminClient.find(where, terminal);
  const writes: QuarantinedWrite[] = [];
  for await (const write of client.quarantine()) writes.push(write);
  if (where.json) terminal.out(`${JSON.stringify(writes, null, 2)}\n`);
  else terminal.out(writes.length === 0 ? 'the quarantine is empty\n' : listed(writes));
}

/** Shows one of them with the input of its call. */
export async function showQuarantined(seq: number, where: Whereabouts, terminal: Terminal): Promise<void> {
  const client = await AdminClient.find(where, terminal);
  const { input, ...write } = await client.show(seq);
  terminal.out(`${detailsOf(write)}${jsonText(input)}\n`);
}

/** Puts one at the end of its lane again, as a new write. */
export async function retryQuarantined(seq: number, where: Whereabouts, terminal: Terminal): Promise<void> {
  const client = await AdminClient.find(where, terminal);
  const { receipt } = await client.retry(seq);
  terminal.out(`${seq} is accepted again, as ${receipt}\n`);
}

/** Gives one up. */
export async function dropQuarantined(seq: number, where: Whereabouts, terminal: Terminal): Promise<void> {
  const client = await AdminClient.find(where, terminal);
  const { dropped } = await client.drop(seq);
  terminal.out(
    `dropped ${seq}: ${callText(dropped)}, ${size(dropped.bytes)}, accepted ${dropped.accepted_at}\n`,
  );
}

function listed(writes: readonly QuarantinedWrite[]): string {
  const rows = writes.map((write) => [
    String(write.seq),
    why(write),
    write.accepted_at,
    callText(write),
    write.error ? plain(`${write.error.code}: ${write.error.message}`) : '',
  ]);
  const heads = ['SEQ', 'WHY', 'ACCEPTED', 'CALL', 'ERROR'];
  return `${table(heads, rows)}${countOf(writes.length, 'write')} in quarantine\n`;
}

function detailsOf(write: QuarantinedWrite): string {
  return details([
    ['call', callText(write)],
    ['receipt', write.receipt],
    ['why', why(write)],
    ...(write.error
      ? [['error', plain(`${write.error.code}: ${write.error.message}`)] satisfies [string, string]]
      : []),
    ['accepted', write.accepted_at],
    ['settled', write.settled_at],
    ['input', size(write.bytes)],
  ]);
}

/** With those that wait for a decision about it. */
function why({ reason, holds, waiting = 0 }: QuarantinedWrite): string {
  return holds ? `${reason}, holds ${countOf(waiting, 'write')}` : reason;
}
