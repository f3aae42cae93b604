import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Terminal } from '../../../src/cli/terminal.js';
import type { Config } from '../../../src/config/config.js';
import type { Gateway, GatewayContext } from '../../../src/gateway.js';

/** A terminal that writes down what happens, with a gateway that does as the test says. */
export function fakeTerminal(cwd: string, gateway: Partial<Gateway> = {}) {
  const seen = { out: '', err: '', configs: [] as Config[], contexts: [] as GatewayContext[], stopped: 0 };
  const exits: number[] = [];
  const signals = new EventEmitter<{ SIGINT: ['SIGINT']; SIGTERM: ['SIGTERM'] }>();
  const terminal: Terminal = {
    env: {},
    cwd,
    out: (text) => {
      seen.out += text;
    },
    err: (text) => {
      seen.err += text;
    },
    isTerminal: true,
    isColourful: false,
    signals,
    now: Date.now,
    sleep: (ms) => sleep(ms),
    exit: (code) => exits.push(code),
    createGateway(config, context) {
      seen.configs.push(config);
      seen.contexts.push(context);
      return {
        start: async () => ({ listener: { host: '127.0.0.1', port: 1234 }, state: 'here' }),
        stop: async () => {
          seen.stopped += 1;
        },
        ...gateway,
      };
    },
  };
  return { terminal, seen, signals, exits };
}
