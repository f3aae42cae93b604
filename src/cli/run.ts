import { Command, CommanderError, Option } from 'commander';
import { addWhereabouts, type Whereabouts } from './admin-client.js';
import { type DrainSettings, drain } from './commands/drain.js';
import { printEffectiveConfig } from './commands/print-config.js';
import { start } from './commands/start.js';
import { status } from './commands/status.js';
import { validate } from './commands/validate.js';
import { EXIT, exitCodeOf, explain } from './exit.js';
import { whole } from './numbers.js';
import { addConflicts, addLost, addQuarantine } from './operator-commands.js';
import { addSettings, type Settings } from './settings.js';
import { addStore } from './store-commands.js';
import type { Terminal } from './terminal.js';
import { packageVersion } from './version.js';

const examples = `
Examples:
  iii-state-gateway start                                  an engine of its own, state in ./data
  iii-state-gateway start --remote ws://hub:49134          a gateway in front of the engine at hub
  iii-state-gateway start --config config/bridge.yaml      as a file says
  iii-state-gateway validate config/bridge.yaml            every mistake of a file, one line each
  iii-state-gateway print-config --port 49135              what start would run with
  iii-state-gateway status --data-dir ./data               how the gateway on that folder is
  iii-state-gateway store verify --data-dir ./data         what a stopped gateway's folder holds, and what is damaged
  iii-state-gateway drain --timeout 60                     send what waits, until all is settled

Variables:
  REMOTE_III_URL   the engine where state lives, if --remote does not name it
  NO_COLOR         anything: no colours

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 configuration refused, 4 storage refused, 5 no gateway answers,
6 all is settled, but some writes are in quarantine
`;

/** Runs one command line and resolves with its exit code. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  let code: number = EXIT.done;
  try {
    const program = createProgram(terminal, (ended) => {
      code = ended;
    });
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    // Commander has already said what is wrong, or shown the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.wrongUsage;
    terminal.err(`${explain(error)}\n`);
    return exitCodeOf(error);
  }
}

/** @param end is told the exit code of a command that ends well, but not simply so. */
function createProgram(terminal: Terminal, end: (code: number) => void): Command {
  const version = packageVersion();
  const program = new Command('iii-state-gateway')
    .description('A gateway for the State of the iii engine: workers use it exactly as they use an engine.')
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.err(text) })
    .showHelpAfterError('(--help shows what is possible)')
    .addHelpText('after', examples);

  addSettings(program.command('start'))
    .description('run the gateway until SIGINT or SIGTERM')
    .action((settings: Settings) => start(settings, version, terminal));
  program
    .command('validate')
    .description('check a configuration file')
    .argument('<file>', 'the configuration file')
    .action((file: string) => validate(file, terminal));
  addSettings(program.command('print-config'))
    .description('print the configuration that start would run with, secrets masked')
    .action((settings: Settings) => printEffectiveConfig(settings, terminal));
  addWhereabouts(program.command('status'))
    .description('show how a running gateway is')
    .option('--json', 'as JSON, for programs')
    .action((where: Whereabouts) => status(where, terminal));
  addQuarantine(program, terminal);
  addConflicts(program, terminal);
  addLost(program, terminal);
  addWhereabouts(program.command('drain'))
    .description('send what waits for the remote at once, and wait until all of it is settled')
    .addOption(new Option('--timeout <seconds>', 'how long to wait at most').argParser(whole(0)))
    .option('--json', 'the result as JSON, for programs')
    .action(async (settings: DrainSettings) => end(await drain(settings, terminal)));
  addStore(program, terminal, end);
  return program;
}
