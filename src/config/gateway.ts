import { accessSync, constants } from 'node:fs';
import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { check, type Part } from './check.js';
import type { GatewayOptions } from './config.js';
import type { ConfigDocument } from './document.js';
import { refusedYet } from './not-yet.js';
import type { Overrides } from './overrides.js';
import { keyOf, type Path, pathsOf, valueAt, withoutKeys } from './paths.js';
import type { Report } from './report.js';
import { gatewayBlock } from './schema.js';
import { toCamel } from './spelling.js';

interface Surroundings {
  readonly document: ConfigDocument;
  readonly report: Report;
  /** What relative paths of the file are relative to; those of flags, to `cwd`. */
  readonly folder: string;
  readonly cwd: string;
  readonly overrides: Overrides;
}

type Written = z.output<typeof gatewayBlock>;
type Tls = Written['remote']['tls'];

const nothing: Part = { key: ['iii-state-gateway'], path: [], value: {} };

/** What is ours, with the flags laid over it, or nothing and the mistakes in the report. */
export function readGateway(part: Part = nothing, around: Surroundings): GatewayOptions | undefined {
  const { document, report, folder, cwd, overrides } = around;
  tellWhatIsNotYet(part, document, report);
  // What is refused as a whole is not checked in detail.
  const value = withoutKeys([...refusedYet.keys()], part.value, 'iii-state-gateway');
  const written = check(gatewayBlock, { ...part, value }, document, report);
  if (written === undefined) return undefined;
  const { remote, data_dir } = written;
  return toCamel({
    ...written,
    data_dir: overrides.dataDir === undefined ? resolve(folder, data_dir) : resolve(cwd, overrides.dataDir),
    admin: withPort(written.admin, overrides.adminPort),
    remote: { ...remote, tls: readableTls(remote.tls, part.path, around) },
  });
}

function tellWhatIsNotYet(part: Part, document: ConfigDocument, report: Report): void {
  for (const [pattern, sentence] of refusedYet) {
    for (const path of pathsOf(pattern, part.value, 'iii-state-gateway')) {
      const value = valueAt(part.value, path);
      if (value === undefined || isDefault(value, path)) continue;
      report.fault(document.placeOfKey([...part.path, ...path]), keyOf([...part.key, ...path]), sentence);
    }
  }
}

const defaults = gatewayBlock.parse({ scopes: [{}] });

function isDefault(value: unknown, path: Path): boolean {
  const ofAnyEntry = path.map((part) => (typeof part === 'number' ? 0 : part));
  return isDeepStrictEqual(value, valueAt(defaults, ofAnyEntry));
}

/** `--admin-port` also brings back a server that the file turned off. */
function withPort(admin: Written['admin'], port: number | undefined): Written['admin'] {
  if (port === undefined) return admin;
  return { host: admin === 'off' ? '127.0.0.1' : admin.host, port };
}

/** The files of TLS by their absolute path; one that cannot be read is found now and not at the first connection. */
function readableTls(tls: Tls, block: Path, { document, report, folder }: Surroundings): Tls {
  const absolute = { ...tls };
  for (const option of ['ca', 'cert', 'key'] as const) {
    const written = tls[option];
    if (written === undefined) continue;
    const path = resolve(folder, written);
    absolute[option] = path;
    if (isReadable(path)) continue;
    const place = document.placeOf([...block, 'remote', 'tls', option]);
    report.fault(place, `iii-state-gateway.remote.tls.${option}`, `the file ${path} cannot be read`);
  }
  return absolute;
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
