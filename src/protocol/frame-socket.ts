import type { WebSocket } from 'ws';
import { type Corkable, corkForThisTurn } from './turn-cork.js';

/** Engines take 16 MiB in one frame and 64 MiB in one message of several (observe 2.5). */
export const MAX_FRAME_BYTES = 16 * 1024 * 1024;
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const FRAGMENT_BYTES = 1024 * 1024;

/** Sends text frames over a WebSocket: gathered per turn, in fragments when they are too large for one frame. */
export class FrameSocket {
  constructor(
    private readonly webSocket: WebSocket,
    private readonly socket: Corkable,
  ) {}

  send(text: string): void {
    if (this.webSocket.readyState !== this.webSocket.OPEN) return;
    corkForThisTurn(this.socket);
    const isLarge = text.length > MAX_FRAME_BYTES / 3 && Buffer.byteLength(text) > MAX_FRAME_BYTES;
    if (isLarge) this.sendInFragments(Buffer.from(text));
    else this.webSocket.send(text);
  }

  /** Bytes that the peer has not taken yet. */
  get queuedBytes(): number {
    return this.webSocket.bufferedAmount;
  }

  private sendInFragments(bytes: Buffer): void {
    for (let start = 0; start < bytes.length; start += FRAGMENT_BYTES) {
      const end = Math.min(start + FRAGMENT_BYTES, bytes.length);
      this.webSocket.send(bytes.subarray(start, end), { binary: false, fin: end === bytes.length });
    }
  }
}
