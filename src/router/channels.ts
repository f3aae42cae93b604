import { timingSafeEqual } from 'node:crypto';
import { GatewayError } from '../errors.js';
import { Channel, type ChannelDirection, type ChannelSocket } from './channel.js';

export type { ChannelDirection, ChannelSocket } from './channel.js';

const DEFAULT_BUFFER = 64;
const MAX_BUFFER = 1024;
const SWEEP_MS = 60_000;
const UNCONNECTED_MS = 5 * 60_000;
const DEFAULT_MAX_OPEN = 10_000;
const TRY_AGAIN_LATER = 1013;
const SERVICE_RESTART = 1012;

export interface ChannelsOptions {
  now(): number;
  randomUuid(): string;
  /** How many channels may be open at once; 10 000. Each may hold 16 MiB that nobody has read yet. */
  maxOpen?: number;
}

/**
 * The data channels that are open. They belong to no connection: one that both ends have taken lives as long as
 * these, one that is missing an end for 5 minutes (wire protocol section 12).
 */
export class Channels {
  readonly name = 'channels';
  private readonly open = new Map<string, Channel>();
  private sweeping: NodeJS.Timeout | undefined;

  constructor(private readonly options: ChannelsOptions) {}

  async start(): Promise<void> {
    this.sweeping ??= setInterval(() => this.sweep(), SWEEP_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.sweeping);
    this.sweeping = undefined;
    for (const channel of [...this.open.values()]) channel.end(SERVICE_RESTART, 'gateway stops');
  }

  get size(): number {
    return this.open.size;
  }

  /**
   * Makes a channel that buffers so many frames, within the engine's bounds.
   * @throws GatewayError `GATEWAY_RATE_LIMITED` when too many are open.
   */
  create(bufferSize = DEFAULT_BUFFER): { id: string; key: string } {
    const { now, randomUuid, maxOpen = DEFAULT_MAX_OPEN } = this.options;
    if (this.open.size >= maxOpen) {
      throw new GatewayError(
        'GATEWAY_RATE_LIMITED',
        `${maxOpen} data channels are open, which is the limit: try again when some are closed`,
      );
    }
    const id = randomUuid();
    const key = randomUuid();
    const size = Math.min(Math.max(bufferSize, 1), MAX_BUFFER);
    this.open.set(id, new Channel(key, now(), size, () => this.open.delete(id)));
    return { id, key };
  }

  /** Whether there is such a channel and the key is its own; an end that is taken is admitted, and then closed. */
  admits(id: string, key: string, _direction: ChannelDirection): boolean {
    return this.find(id, key) !== undefined;
  }

  /** Gives an end to a connection; false if there is no such channel, or somebody has the end already. */
  attach(id: string, key: string, direction: ChannelDirection, socket: ChannelSocket): boolean {
    return this.find(id, key)?.attach(direction, socket) ?? false;
  }

  /** Ends the channels that have been missing an end for too long. */
  sweep(): void {
    const latest = this.options.now() - UNCONNECTED_MS;
    for (const channel of [...this.open.values()]) {
      if (!channel.isConnected && channel.createdAtMs <= latest) {
        channel.end(TRY_AGAIN_LATER, 'the other end never came');
      }
    }
  }

  private find(id: string, key: string): Channel | undefined {
    const channel = this.open.get(id);
    return channel && isSame(channel.key, key) ? channel : undefined;
  }
}

/** Takes the same time wherever two keys differ. */
function isSame(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)];
  return left.length === right.length && timingSafeEqual(left, right);
}
