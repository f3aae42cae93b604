import type { QuarantinedWrite } from '../../replication/operator.js';
import { AdminClient, type Whereabouts } from '../admin-client.js';
import { countOf, plain, size } from '../figures.js';
import type { Terminal } from '../terminal.js';

/** Lists the writes that wait for an operator, without their values. */
export async function listQuarantine(
  where: Whereabouts & { json?: boolean },
  terminal: Terminal,
): Promise<void> {
  const client = await AdminClient.find(where, terminal);
  const writes: QuarantinedWrite[] = [];
  for await (const write of client.quarantine()) writes.push(write);
  if (where.json) terminal.out(`${JSON.stringify(writes, null, 2)}\n`);
  else terminal.out(writes.length === 0 ? 'the quarantine is empty\n' : table(writes));
}

/** Shows one of them with the input of its call. */
export async function showQuarantined(seq: number, where: Whereabouts, terminal: Terminal): Promise<void> {
  const client = await AdminClient.find(where, terminal);
  const { input, ...write } = await client.show(seq);
  terminal.out(`${details(write)}\n${shown(input)}\n`);
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
  terminal.out(`dropped ${seq}: ${call(dropped)}, ${size(dropped.bytes)}, accepted ${dropped.accepted_at}\n`);
}

function table(writes: readonly QuarantinedWrite[]): string {
  const rows = writes.map((write) => [
    String(write.seq),
    write.reason,
    write.accepted_at,
    call(write),
    write.error ? plain(`${write.error.code}: ${write.error.message}`) : '',
  ]);
  const heads = ['SEQ', 'WHY', 'ACCEPTED', 'CALL', 'ERROR'];
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `${cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()}\n`;
  return `${[heads, ...rows].map(line).join('')}${countOf(writes.length, 'write')} in quarantine\n`;
}

function details(write: QuarantinedWrite): string {
  const rows: [string, string][] = [
    ['call', call(write)],
    ['receipt', write.receipt],
    ['why', write.reason],
    ...(write.error
      ? [['error', plain(`${write.error.code}: ${write.error.message}`)] satisfies [string, string]]
      : []),
    ['accepted', write.accepted_at],
    ['settled', write.settled_at],
    ['input', size(write.bytes)],
  ];
  return rows.map(([label, text]) => `${label.padEnd(10)}${text}`).join('\n');
}

function call({ function_id, scope, key }: QuarantinedWrite): string {
  return plain(`${function_id} ${JSON.stringify(scope)} ${JSON.stringify(key)}`);
}

/** JSON as it was received, to the digit. What would steer the terminal is escaped, which texts in JSON allow. */
function shown(input: string): string {
  return input.replaceAll('\r', '').split('\n').map(plain).join('\n');
}
