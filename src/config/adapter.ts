import { resolve } from 'node:path';
import { check, type Part } from './check.js';
import type { AdapterConfig } from './config.js';
import type { ConfigDocument } from './document.js';
import { adaptersYet } from './not-yet.js';
import type { Report } from './report.js';
import { bridgeAdapter, kvAdapter } from './schema.js';
import { nearestName } from './suggest.js';

interface Surroundings {
  readonly document: ConfigDocument;
  readonly report: Report;
  /** What relative paths are relative to. */
  readonly folder: string;
  readonly dataDir: string;
}

/** The adapter of a state block, or nothing and the mistakes in the report. */
export function readAdapter(
  { name, config }: { readonly name: string; readonly config?: unknown },
  saveIntervalMs: number | undefined,
  state: Part,
  around: Surroundings,
): AdapterConfig | undefined {
  const { document, report, folder, dataDir } = around;
  const part: Part = {
    key: [...state.key, 'adapter', 'config'],
    path: [...state.path, 'adapter', 'config'],
    value: config ?? {},
  };
  if (name === 'kv') {
    const kv = check(kvAdapter, part, document, report);
    return (
      kv && {
        adapter: 'kv',
        storeMethod: kv.store_method,
        filePath: kv.file_path === undefined ? resolve(dataDir, 'state') : resolve(folder, kv.file_path),
        saveIntervalMs: saveIntervalMs ?? kv.save_interval_ms,
      }
    );
  }
  if (name === 'bridge') {
    const bridge = check(bridgeAdapter, part, document, report);
    return bridge && { adapter: 'bridge', remoteUrl: bridge.bridge_url };
  }
  const refusal = refusalOf(name);
  if (refusal === undefined) {
    const module = isPath(name) ? resolve(folder, name) : name;
    return { adapter: 'custom', module, config };
  }
  const place = document.placeOf([...state.path, 'adapter', 'name']);
  report.fault(place, 'iii-state.adapter.name', refusal);
  return undefined;
}

const adapters = 'kv, bridge, or the path or package of a custom adapter';

function refusalOf(name: string): string | undefined {
  const later = adaptersYet.get(name);
  if (later !== undefined || isPath(name)) return later;
  // Taken as a slip of the pen; a package with such a name can still be named by its path.
  const meant = nearestName(name, ['kv', 'bridge', ...adaptersYet.keys()]);
  if (meant !== undefined) return `no adapter \`${name}\`; did you mean \`${meant}\`?`;
  return isPackage(name) ? undefined : `no adapter \`${name}\`; it can be ${adapters}`;
}

function isPath(name: string): boolean {
  return /^(\.{1,2}[\\/]|[\\/]|[a-z]:[\\/])/i.test(name);
}

function isPackage(name: string): boolean {
  return /^(@[\w.~-]+\/)?[\w~-][\w.~-]*(\/[\w.~/-]+)?$/.test(name);
}
