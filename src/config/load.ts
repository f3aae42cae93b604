import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { messageOf } from '../errors.js';
import { findBlocks } from './blocks.js';
import type { Config, ListenerConfig } from './config.js';
import { readDocument } from './document.js';
import { readGateway } from './gateway.js';
import { readListener } from './listener.js';
import { type Flags, readOverrides } from './overrides.js';
import { isOwnListener, ownAddresses } from './own-listener.js';
import { placeOutside, Report } from './report.js';
import { type LocatedState, readState } from './state.js';

export interface ConfigRequest {
  /** The only file that is read; without it, the embedded engine. */
  readonly file?: string | undefined;
  readonly flags?: Flags;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Addresses of this machine. */
  readonly interfaces?: readonly string[];
}

export interface LoadedConfig {
  readonly config: Config;
  /** What is not a mistake, but worth knowing; one line each. */
  readonly notes: string[];
}

/** What runs when no file is named: an engine with its State on this machine's disk. */
const embeddedEngine = `
workers:
  - { name: iii-worker-manager, config: { host: 127.0.0.1 } }
  - { name: iii-state, config: { adapter: { name: kv, config: { store_method: file_based } } } }
`;

/**
 * The whole configuration: flags over environment over file. Throws `GATEWAY_CONFIG` with one line per mistake,
 * `<file>:<line>:<column>: <key>: <what is wrong and what would be right>`.
 */
export function loadConfig(request: ConfigRequest): LoadedConfig {
  const { file, flags = {}, env, cwd = process.cwd(), interfaces = ownAddresses() } = request;
  const report = new Report();
  const text = file === undefined ? embeddedEngine : readText(resolve(cwd, file), file, report);
  const document = readDocument(file ?? 'embedded engine', text, env, report);
  const folder = file === undefined ? cwd : dirname(resolve(cwd, file));

  const overrides = readOverrides(flags, env, report);
  const blocks = findBlocks(document, report);
  const listener = readListener(blocks, overrides, document, report);
  const gateway = readGateway(blocks.parts.get('iii-state-gateway'), {
    document,
    report,
    folder,
    cwd,
    overrides,
  });
  const dataDir = gateway?.dataDir ?? folder;
  const state = blocks.parts.get('iii-state');
  const located = readState(state, { document, report, folder, dataDir, remote: overrides.remote });
  if (listener && located) refuseOwnListener(located, listener, interfaces, report);

  report.throwIfRefused();
  if (!listener || !gateway || !located) throw new Error('a mistake was not reported'); // for the compiler
  return { config: freeze({ ...gateway, listener, state: located.state }), notes: report.notes };
}

function readText(path: string, file: string, report: Report): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const missing = messageOf(error).startsWith('ENOENT');
    const sentence = missing ? 'there is no such file' : `cannot be read: ${messageOf(error)}`;
    report.fault(placeOutside(file), '', sentence);
    report.throwIfRefused();
    throw error;
  }
}

function refuseOwnListener(
  { state, place, key }: LocatedState,
  listener: ListenerConfig,
  interfaces: readonly string[],
  report: Report,
): void {
  if (state.adapter !== 'bridge' || !isOwnListener(state.remoteUrl, listener, interfaces)) return;
  const own = `ws://${listener.host.includes(':') ? `[${listener.host}]` : listener.host}:${listener.port}`;
  const sentence = `the remote is this gateway's own listener ${own}; name another engine, or give the listener another port`;
  report.fault(place, key, sentence);
}

/** Freezes all of it but a custom adapter's own options, which belong to the adapter. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  const isCustom = 'adapter' in value && value.adapter === 'custom';
  for (const [key, inner] of Object.entries(value)) if (!(isCustom && key === 'config')) freeze(inner);
  return Object.freeze(value);
}
