import { Argument, type Command } from 'commander';
import { addWhereabouts, type Whereabouts } from './admin-client.js';
import { listConflicts, showConflict } from './commands/conflicts.js';
import { listLost } from './commands/lost.js';
import { dropQuarantined, listQuarantine, retryQuarantined, showQuarantined } from './commands/quarantine.js';
import { type EditSettings, editQuarantined } from './commands/quarantine-edit.js';
import { type ExportSettings, exportQuarantine } from './commands/quarantine-export.js';
import { whole } from './numbers.js';
import type { Terminal } from './terminal.js';

export function addQuarantine(program: Command, terminal: Terminal): void {
  const quarantine = program.command('quarantine').description('writes that wait for an operator');
  addWhereabouts(quarantine.command('list'))
    .description('list them, without their values')
    .option('--json', 'as JSON, for programs')
    .action((where: Whereabouts) => listQuarantine(where, terminal));
  const commands: [name: string, description: string, run: typeof showQuarantined][] = [
    ['show', 'show one with the input of its call', showQuarantined],
    ['retry', 'send one again, as a new write behind all others to its key', retryQuarantined],
    ['drop', 'give one up', dropQuarantined],
  ];
  for (const [name, description, runIt] of commands) {
    addWhereabouts(quarantine.command(name))
      .description(description)
      .addArgument(numberArgument('<seq>'))
      .action((seq: number, where: Whereabouts) => runIt(seq, where, terminal));
  }
  addWhereabouts(quarantine.command('edit'))
    .description('send one again with another input, for the same key')
    .addArgument(numberArgument('<seq>'))
    .option(
      '-f, --file <file>',
      'where the new input is, as JSON (- is standard input); else $EDITOR is opened',
    )
    .action((seq: number, settings: EditSettings) => editQuarantined(seq, settings, terminal));
  addWhereabouts(quarantine.command('export'))
    .description('print all of them with their inputs, as JSON lines')
    .option('-o, --output <file>', 'a file to write them to')
    .action((settings: ExportSettings) => exportQuarantine(settings, terminal));
}

export function addConflicts(program: Command, terminal: Terminal): void {
  const conflicts = program.command('conflicts').description('writes that met a value of somebody else');
  addWhereabouts(conflicts.command('list'))
    .description('list those that are kept, without their values')
    .option('--json', 'as JSON, for programs')
    .action((where: Whereabouts) => listConflicts(where, terminal));
  addWhereabouts(conflicts.command('show'))
    .description('show one with both values')
    .addArgument(numberArgument('<number>'))
    .option('--json', 'as JSON, for programs')
    .action((number: number, where: Whereabouts) => showConflict(number, where, terminal));
}

export function addLost(program: Command, terminal: Terminal): void {
  const lost = program.command('lost').description('writes that the remote had confirmed and lost');
  addWhereabouts(lost.command('list'))
    .description('list those that are kept, without their values')
    .option('--json', 'as JSON, for programs')
    .action((where: Whereabouts) => listLost(where, terminal));
}

function numberArgument(name: string): Argument {
  return new Argument(name, 'its number in the list').argParser(whole(1));
}
