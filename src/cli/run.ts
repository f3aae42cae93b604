import { Command, CommanderError } from 'commander';
import { printEffectiveConfig } from './commands/print-config.js';
import { start } from './commands/start.js';
import { validate } from './commands/validate.js';
import { EXIT, exitCodeOf, explain } from './exit.js';
import { addSettings, type Settings } from './settings.js';
import type { Terminal } from './terminal.js';
import { packageVersion } from './version.js';

const examples = `
Examples:
  iii-state-gateway start                                  an engine of its own, state in ./data
  iii-state-gateway start --remote ws://hub:49134          a gateway in front of the engine at hub
  iii-state-gateway start --config config/bridge.yaml      as a file says
  iii-state-gateway validate config/bridge.yaml            every mistake of a file, one line each
  iii-state-gateway print-config --port 49135              what start would run with

Variables:
  REMOTE_III_URL   the engine where state lives, if --remote does not name it

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 configuration refused, 4 storage refused
`;

/** Runs one command line and resolves with its exit code. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    await createProgram(terminal).parseAsync(args, { from: 'user' });
    return EXIT.done;
  } catch (error) {
    // Commander has already said what is wrong, or shown the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.wrongUsage;
    terminal.err(`${explain(error)}\n`);
    return exitCodeOf(error);
  }
}

function createProgram(terminal: Terminal): Command {
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
  return program;
}
