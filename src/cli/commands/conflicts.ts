import type { Conflict, ConflictWithValues } from '../../replication/operator.js';
import { AdminClient, type Whereabouts } from '../admin-client.js';
import { countOf } from '../figures.js';
import { details, table } from '../table.js';
import type { Terminal } from '../terminal.js';
import { callText, jsonText } from '../write-texts.js';

/** Lists the writes that met a value of somebody else, without the values. */
export async function listConflicts(
  where: Whereabouts & { json?: boolean },
  terminal: Terminal,
): Promise<void> {
  const client = await AdminClient.find(where, terminal);
  const conflicts: Conflict[] = [];
  for await (const conflict of client.conflicts()) conflicts.push(conflict);
  if (where.json) terminal.out(`${JSON.stringify(conflicts, null, 2)}\n`);
  else terminal.out(conflicts.length === 0 ? 'no conflicts are recorded\n' : listed(conflicts));
}

/** Shows one of them with what was there before, what we wrote, and what the others did. */
export async function showConflict(
  number: number,
  where: Whereabouts & { json?: boolean },
  terminal: Terminal,
): Promise<void> {
  const client = await AdminClient.find(where, terminal);
  const conflict = await client.conflict(number);
  terminal.out(where.json ? `${JSON.stringify(conflict, null, 2)}\n` : detailsOf(conflict));
}

function listed(conflicts: readonly Conflict[]): string {
  const rows = conflicts.map((conflict) => [
    String(conflict.number),
    conflict.outcome,
    conflict.policy,
    conflict.at,
    callText(conflict),
  ]);
  const heads = ['NUMBER', 'OURS', 'BY', 'AT', 'CALL'];
  return `${table(heads, rows)}${countOf(conflicts.length, 'conflict')}, the newest last\n`;
}

function detailsOf(conflict: ConflictWithValues): string {
  return details([
    ['call', callText(conflict)],
    ['receipt', conflict.receipt],
    ['ours', `${conflict.outcome}, by ${conflict.policy}`],
    ['at', conflict.at],
    ['base', valueText(conflict.base)],
    ['local', valueText(conflict.local)],
    ['remote', valueText(conflict.remote)],
  ]);
}

function valueText(value: ConflictWithValues['local']): string {
  switch (value.kind) {
    case 'value':
      return jsonText(value.text);
    case 'input':
      return `by the input ${jsonText(value.text)}`;
    case 'absent':
      return 'no value';
    case 'unknown':
      return 'not known';
  }
}
