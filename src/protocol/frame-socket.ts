import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { layOut, type Role } from './text-frames.js';

/**
 * The sending half of a WebSocket, for text. Messages of one turn of the event loop are gathered and leave in one
 * write: one system call for all of them is what most of a gateway's speed comes from (performance guide 1 and 8).
 * The WebSocket itself goes on sending control frames; both write whole frames only, so they never mix.
 */
export class FrameSocket {
  private gathered: string[] = [];
  private gatheredUnits = 0;

  constructor(
    private readonly webSocket: WebSocket,
    private readonly socket: Duplex,
    private readonly role: Role,
  ) {}

  send(text: string): void {
    if (this.webSocket.readyState !== this.webSocket.OPEN) return;
    if (this.gathered.length === 0) flushAtEndOfTurn(this);
    this.gathered.push(text);
    this.gatheredUnits += text.length;
  }

  /** Bytes that the peer has not taken yet. */
  get queuedBytes(): number {
    return this.webSocket.bufferedAmount + this.gatheredUnits;
  }

  /** Writes what was gathered; to be called before the WebSocket says goodbye. */
  flush(): void {
    if (this.gathered.length === 0) return;
    const messages = this.gathered;
    this.gathered = [];
    this.gatheredUnits = 0;
    if (this.socket.writable) this.socket.write(layOut(messages, this.role));
  }
}

let waiting: FrameSocket[] = [];

function flushAtEndOfTurn(socket: FrameSocket): void {
  if (waiting.length === 0) setImmediate(flushAll);
  waiting.push(socket);
}

function flushAll(): void {
  const sockets = waiting;
  waiting = [];
  for (const socket of sockets) socket.flush();
}
