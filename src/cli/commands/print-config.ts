import { printConfig } from '../../config/print.js';
import { loadSettings, type Settings } from '../settings.js';
import type { Terminal } from '../terminal.js';

/** Shows what `start` with the same flags would run with, defaults and variables filled in. */
export function printEffectiveConfig(settings: Settings, terminal: Terminal): void {
  terminal.out(printConfig(loadSettings(settings, terminal).config));
}
