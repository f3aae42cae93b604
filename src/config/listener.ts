import type { Blocks } from './blocks.js';
import { check } from './check.js';
import type { ListenerConfig } from './config.js';
import type { ConfigDocument } from './document.js';
import type { Overrides } from './overrides.js';
import type { Report } from './report.js';
import { listenerBlock } from './schema.js';
import { toCamel } from './spelling.js';

/** Where workers connect, or nothing and the mistakes in the report. */
export function readListener(
  blocks: Blocks,
  { host, port }: Overrides,
  document: ConfigDocument,
  report: Report,
): ListenerConfig | undefined {
  const part = blocks.parts.get('iii-worker-manager');
  const absent = { key: ['iii-worker-manager'], path: [], value: withPort(blocks.topLevelPort) };
  const written = check(listenerBlock, part ?? absent, document, report);
  if (written === undefined) return undefined;
  if (part && host === undefined && !hasHost(part.value)) {
    // Without access rules, being open to a network must be somebody's decision.
    const sentence = `not given, so ${written.host}, where an engine would take 0.0.0.0`;
    report.note(document.placeOf(part.path), 'iii-worker-manager.host', sentence);
  }
  return toCamel({ host: host ?? written.host, port: port ?? written.port });
}

function withPort(port: number | undefined) {
  return port === undefined ? {} : { port };
}

function hasHost(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'host' in value;
}
