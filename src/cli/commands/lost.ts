import type { LostWrite } from '../../replication/retain/lost-writes.js';
import { AdminClient, type Whereabouts } from '../admin-client.js';
import { countOf, plain } from '../figures.js';
import { table } from '../table.js';
import type { Terminal } from '../terminal.js';

/** Lists the writes that the remote had confirmed and was found without. */
export async function listLost(where: Whereabouts & { json?: boolean }, terminal: Terminal): Promise<void> {
  const client = await AdminClient.find(where, terminal);
  const lost: LostWrite[] = [];
  for await (const write of client.lost()) lost.push(write);
  if (where.json) terminal.out(`${JSON.stringify(lost, null, 2)}\n`);
  else terminal.out(lost.length === 0 ? 'no confirmed write is known to be lost\n' : listed(lost));
}

function listed(lost: readonly LostWrite[]): string {
  const rows = lost.map(({ number, confirmed_at, noticed_at, certain, restored, scope, key }) => [
    String(number),
    certain ? 'lost' : 'lost or deleted',
    restored ? 'sent again' : '',
    confirmed_at,
    noticed_at,
    plain(`${JSON.stringify(scope)} ${JSON.stringify(key)}`),
  ]);
  return `${table(['NUMBER', 'WHAT', 'AND', 'CONFIRMED', 'NOTICED', 'KEY'], rows)}${countOf(lost.length, 'write')}, the newest last\n`;
}
