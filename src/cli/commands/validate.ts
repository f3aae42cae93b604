import { loadSettings } from '../settings.js';
import type { Terminal } from '../terminal.js';

/** Says whether a file would be accepted, as `start` would read it here and now. */
export function validate(file: string, terminal: Terminal): void {
  loadSettings({ config: file }, terminal);
  terminal.out(`${file} is valid\n`);
}
