import type { Command } from 'commander';
import { exportStore, repairStoreHere, type StoreSettings, verifyStoreHere } from './commands/store.js';
import type { Terminal } from './terminal.js';

/** `store verify | repair | export`. */
export function addStore(program: Command, terminal: Terminal, end: (code: number) => void): void {
  const store = program
    .command('store')
    .description("a stopped gateway's data folder: look at it, mend it, save it");
  const add = (name: string, description: string): Command =>
    store
      .command(name)
      .description(description)
      .option('-c, --config <file>', "the gateway's configuration file")
      .option('--data-dir <folder>', "the gateway's data folder");
  add('verify', 'look at everything that is kept, change nothing, and tell what is damaged')
    .option('--json', 'as JSON, for programs')
    .action(async (settings: StoreSettings) => end(await verifyStoreHere(settings, terminal)));
  add('repair', 'make a new store of all that can be read, and keep the damaged one beside it')
    .option('--adopt', 'the folder is a copy: its gateway goes on as another one than the original')
    .option('-y, --yes', 'do it; without this it only tells what it would do')
    .action(async (settings: StoreSettings) => end(await repairStoreHere(settings, terminal)));
  add('export', 'print all writes, conflicts and known values that can be read, a line of JSON each').action(
    (settings: StoreSettings) => exportStore(settings, terminal, process.stdout),
  );
}
