import type { z } from 'zod';
import { type Place, placeOutside, type Report } from './report.js';
import { port, text, webSocketUrl } from './values.js';

/** Flags of the command line, as typed. */
export interface Flags {
  readonly remote?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: string | undefined;
  readonly adminPort?: string | undefined;
  readonly dataDir?: string | undefined;
}

/** What the command line and the environment say over the file. */
export interface Overrides {
  readonly remote?: { readonly url: string; readonly place: Place } | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly adminPort?: number | undefined;
  readonly dataDir?: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Checks flags and environment as the file's options are checked; a flag wins over a variable. */
export function readOverrides(flags: Flags, env: Environment, report: Report): Overrides {
  const read = <T>(label: string, value: unknown, schema: z.ZodType<T>): T | undefined => {
    if (value === undefined) return undefined;
    const result = schema.safeParse(value);
    if (!result.success) report.fault(placeOutside(label), '', result.error.issues[0]?.message ?? 'is wrong');
    return result.data;
  };
  const remote = (label: string, address: string | undefined) => {
    const url = read(label, address, webSocketUrl());
    return url === undefined ? undefined : { url, place: placeOutside(label) };
  };
  return {
    remote:
      flags.remote === undefined
        ? // Compose files and unit files leave a variable empty to mean that it is not set.
          remote('REMOTE_III_URL', env['REMOTE_III_URL'] || undefined)
        : remote('--remote', flags.remote),
    host: read('--host', flags.host, text('a host name or address')),
    port: read('--port', numberOf(flags.port), port()),
    adminPort: read('--admin-port', numberOf(flags.adminPort), port()),
    dataDir: read('--data-dir', flags.dataDir, text('the path of a folder')),
  };
}

/** A typed number; anything else stays text, to be refused as it was typed. */
function numberOf(typed: string | undefined): string | number | undefined {
  return typed !== undefined && /^-?\d+$/.test(typed) ? Number(typed) : typed;
}
