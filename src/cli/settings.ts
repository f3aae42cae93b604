import { type Command, Option } from 'commander';
import { type LoadedConfig, loadConfig } from '../config/load.js';
import type { Flags } from '../config/overrides.js';
import type { Terminal } from './terminal.js';

/** The flags that say what to run. Their values are checked with the file's, so that one answer names all mistakes. */
export interface Settings extends Flags {
  readonly config?: string;
}

export function addSettings(command: Command): Command {
  const flags: [flags: string, description: string][] = [
    ['-c, --config <file>', 'the configuration file; without it, an engine of its own'],
    ['--remote <url>', 'the engine where state lives (over REMOTE_III_URL and the file)'],
    ['--host <host>', 'address workers connect to'],
    ['--port <port>', 'port workers connect to; 0 means any free one'],
    ['--admin-port <port>', 'port of metrics and commands'],
    ['--data-dir <folder>', 'folder of everything kept here'],
  ];
  for (const flag of flags) command.addOption(new Option(...flag));
  return command;
}

/** Loads the configuration and tells what is worth knowing about it. */
export function loadSettings({ config: file, ...flags }: Settings, terminal: Terminal): LoadedConfig {
  const loaded = loadConfig({ file, flags, env: terminal.env, cwd: terminal.cwd });
  for (const note of loaded.notes) terminal.err(`note: ${note}\n`);
  return loaded;
}
