import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { GatewayError, messageOf } from '../../errors.js';
import type { StateAnswer, StateCall } from '../../operations/calls.js';
import type { AdapterContext, CreateAdapter, StateAdapter } from './adapter.js';

/** An adapter of somebody else's: a module that exports `createAdapter(config, context)` (gateway-api section 8). */
export class CustomAdapter implements StateAdapter {
  readonly name = 'custom';
  private adapter: StateAdapter | undefined;

  /** @param module an absolute path, or the name of an installed package */
  constructor(
    private readonly module: string,
    private readonly config: unknown,
    private readonly context: AdapterContext,
  ) {}

  /** @throws GatewayError `GATEWAY_CONFIG` when the module cannot be loaded or exports no `createAdapter`. */
  async start(): Promise<void> {
    const createAdapter = await this.load();
    const adapter = await createAdapter(this.config, this.context);
    await adapter.start();
    this.adapter = adapter;
  }

  async stop(): Promise<void> {
    await this.adapter?.stop();
    this.adapter = undefined;
  }

  async answer(call: StateCall): Promise<StateAnswer> {
    if (!this.adapter) throw new GatewayError('GATEWAY_STOPPING', 'The gateway is not running: try again');
    return this.adapter.answer(call);
  }

  private async load(): Promise<CreateAdapter> {
    const address = isAbsolute(this.module) ? pathToFileURL(this.module).href : this.module;
    const loaded = (await import(address).catch((cause: unknown) => {
      throw new GatewayError(
        'GATEWAY_CONFIG',
        `The adapter ${this.module} cannot be loaded: ${messageOf(cause)}`,
        {
          cause,
        },
      );
    })) as { createAdapter?: CreateAdapter };
    if (typeof loaded.createAdapter === 'function') return loaded.createAdapter;
    throw new GatewayError(
      'GATEWAY_CONFIG',
      `The adapter ${this.module} exports no function \`createAdapter\``,
    );
  }
}
