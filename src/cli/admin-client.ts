import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { findAddress, urlOf } from '../admin/address-file.js';
import type { ConflictsPage, InputsPage, LostPage, QuarantinePage } from '../admin/api.js';
import type { GatewayStatus } from '../admin/status.js';
import { tokenFile } from '../admin/token.js';
import { loadConfig } from '../config/load.js';
import { GatewayError, messageOf } from '../errors.js';
import type {
  Conflict,
  ConflictWithValues,
  QuarantinedInput,
  QuarantinedWrite,
} from '../replication/operator.js';
import type { LostWrite } from '../replication/retain/lost-writes.js';
import { exchange } from './exchange.js';
import { NobodyThere } from './exit.js';
import { whole } from './numbers.js';
import type { Terminal } from './terminal.js';

/** The flags that say which gateway is meant. */
export interface Whereabouts {
  readonly config?: string;
  readonly dataDir?: string;
  readonly adminPort?: number;
  readonly adminHost?: string;
}

export function addWhereabouts(command: Command): Command {
  return command
    .option('-c, --config <file>', "the gateway's configuration file")
    .option('--data-dir <folder>', "the gateway's data folder")
    .addOption(new Option('--admin-port <port>', 'port of its admin server').argParser(whole(1, 65_535)))
    .option('--admin-host <host>', 'address of its admin server');
}

/** How long an answer may take: everything that is asked is answered at once. */
const ANSWER_MS = 10_000;

/** Asks a running gateway over its admin server. */
export class AdminClient {
  private constructor(
    readonly url: string,
    private readonly dataDir: string,
  ) {}

  /**
   * The gateway that flags, else its own word in its data folder, else its configuration name.
   * @throws GatewayError `GATEWAY_CONFIG`. @throws NobodyThere when nothing names one.
   */
  static async find(where: Whereabouts, { env, cwd }: Terminal): Promise<AdminClient> {
    const { adminPort, adminHost, dataDir: folder } = where;
    const { config } = loadConfig({ file: where.config, flags: { dataDir: folder }, env, cwd });
    const { admin, dataDir } = config;
    const { host, port } = admin === 'off' ? { host: '127.0.0.1', port: 0 } : admin;
    const isNamed = adminPort !== undefined || adminHost !== undefined;
    const left = isNamed ? undefined : await findAddress(dataDir);
    const named = { host: bare(adminHost ?? host), port: adminPort ?? port };
    if (left === undefined && named.port === 0) {
      const why = admin === 'off' ? 'the configuration turns the admin server off' : 'no gateway runs on it';
      throw new NobodyThere(`No gateway can be found by the data folder ${dataDir}: ${why}`);
    }
    return new AdminClient(left ?? urlOf(named), dataDir);
  }

  status(): Promise<GatewayStatus> {
    return this.ask('GET', '/api/status');
  }

  /** All of the quarantine, page by page. */
  async *quarantine(): AsyncIterable<QuarantinedWrite> {
    for (let after: number | undefined = 0; after !== undefined; ) {
      const page: QuarantinePage = await this.ask('GET', `/api/quarantine?after=${after}&limit=1000`);
      yield* page.quarantined;
      after = page.next;
    }
  }

  /** The same with inputs. */
  async *quarantinedInputs(): AsyncIterable<QuarantinedInput> {
    const token = await this.token();
    for (let after: number | undefined = 0; after !== undefined; ) {
      const path = `/api/export/quarantine?after=${after}&limit=1000`;
      const page: InputsPage = await this.ask('GET', path, token);
      yield* page.quarantined;
      after = page.next;
    }
  }

  async show(seq: number): Promise<QuarantinedInput> {
    return this.ask('GET', `/api/quarantine/${seq}`, await this.token());
  }

  async edit(seq: number, input: Buffer): Promise<{ receipt: string }> {
    return this.ask('PUT', `/api/quarantine/${seq}`, await this.token(), input);
  }

  async retry(seq: number): Promise<{ receipt: string }> {
    return this.ask('POST', `/api/quarantine/${seq}/retry`, await this.token());
  }

  async drop(seq: number): Promise<{ dropped: QuarantinedWrite }> {
    return this.ask('POST', `/api/quarantine/${seq}/drop`, await this.token());
  }

  /** All conflicts that are kept, page by page. */
  async *conflicts(): AsyncIterable<Conflict> {
    for (let after: number | undefined = 0; after !== undefined; ) {
      const page: ConflictsPage = await this.ask('GET', `/api/conflicts?after=${after}&limit=1000`);
      yield* page.conflicts;
      after = page.next;
    }
  }

  async conflict(number: number): Promise<ConflictWithValues> {
    return this.ask('GET', `/api/conflicts/${number}`, await this.token());
  }

  /** All lost writes that are kept, page by page. */
  async *lost(): AsyncIterable<LostWrite> {
    for (let after: number | undefined = 0; after !== undefined; ) {
      const page: LostPage = await this.ask('GET', `/api/lost?after=${after}&limit=1000`);
      yield* page.lost;
      after = page.next;
    }
  }

  async drain(): Promise<void> {
    await this.ask('POST', '/api/drain', await this.token());
  }

  private async token(): Promise<string> {
    const path = tokenFile(this.dataDir);
    try {
      return (await readFile(path, 'utf8')).trim();
    } catch (cause) {
      const missing = messageOf(cause).startsWith('ENOENT');
      const what = missing ? `There is no admin token ${path}` : `The admin token ${path} cannot be read`;
      const way = "name the gateway's folder with --data-dir, or its file with --config";
      throw new Error(
        `${what}: ${way}${missing ? '' : ', and run this as the user that the gateway runs as'}`,
      );
    }
  }

  /** @throws GatewayError what the gateway answers. @throws NobodyThere when none does. */
  private async ask<T>(method: string, path: string, token?: string, body?: Buffer): Promise<T> {
    const headers: Record<string, string> = {};
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
    const { status, text } = await exchange(new URL(path, this.url), {
      method,
      headers,
      ...(body && { body }),
      timeoutMs: ANSWER_MS,
    }).catch((error: unknown) => {
      throw new NobodyThere(`No gateway answers at ${this.url} (${reasonOf(error)}): is it running?`);
    });
    const answer = readJson(text);
    if (typeof answer !== 'object' || answer === null)
      throw new NobodyThere(`What answers at ${this.url} is no gateway`);
    if (status === 200) return answer as T;
    const { code, message } = answer as { code?: unknown; message?: unknown };
    if (typeof code !== 'string' || typeof message !== 'string')
      throw new NobodyThere(`What answers at ${this.url} is no gateway`);
    throw GatewayError.fromBody({ code, message });
  }
}

/** `[::1]` and `::1` are the same. */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'AbortError') return `no answer within ${ANSWER_MS / 1000} s`;
  return (error as NodeJS.ErrnoException).code ?? error.message;
}
