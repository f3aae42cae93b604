/** One data channel: frames from its writer to its reader, one to one and in order (wire protocol section 12). */

export type ChannelDirection = 'read' | 'write';

/** One end's connection, as a channel sees it. */
export interface ChannelSocket {
  /** `done` is called when the frame has left, or never will. */
  send(data: Buffer, isBinary: boolean, done: () => void): void;
  /** Without a code: a close frame that has none. A socket that is closed already stays so. */
  close(code?: number, reason?: string): void;
  pause(): void;
  resume(): void;
  onMessage(listener: (data: Buffer, isBinary: boolean) => void): void;
  onClose(listener: (code: number, reason: string) => void): void;
}

interface Frame {
  data: Buffer;
  isBinary: boolean;
}

/** The buffer is bounded in frames, as on an engine; and in bytes, because one frame may have 64 MiB. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;

export class Channel {
  private reader: ChannelSocket | undefined;
  private writer: ChannelSocket | undefined;
  /** Frames that came before the reader did. */
  private readonly waiting: Frame[] = [];
  /** Frames taken from the writer that have not left for the reader. */
  private buffered = { frames: 0, bytes: 0 };
  private writerEnd: { code: number; reason: string } | undefined;
  private isOver = false;

  /** @param onOver called once, when the channel has no further use. */
  constructor(
    readonly key: string,
    readonly createdAtMs: number,
    private readonly bufferSize: number,
    private readonly onOver: () => void,
  ) {}

  /** Whether both ends have been taken. */
  get isConnected(): boolean {
    return this.reader !== undefined && this.writer !== undefined;
  }

  /** Takes an end; false if somebody has it already. */
  attach(direction: ChannelDirection, socket: ChannelSocket): boolean {
    const taken = direction === 'read' ? this.reader : this.writer;
    if (taken || this.isOver) return false;
    if (direction === 'read') this.openReader(socket);
    else this.openWriter(socket);
    return true;
  }

  /** Closes both ends; what is still in the buffer is lost. */
  end(code: number, reason: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.waiting.length = 0;
    this.writer?.resume(); // a paused socket would not see the other side's close frame
    for (const end of [this.reader, this.writer]) {
      if (isSendable(code)) end?.close(code, reason);
      else end?.close();
    }
    this.onOver();
  }

  private openWriter(socket: ChannelSocket): void {
    this.writer = socket;
    socket.onMessage((data, isBinary) => this.take({ data, isBinary }));
    socket.onClose((code, reason) => {
      this.writerEnd = { code, reason };
      this.endIfDelivered();
    });
  }

  private openReader(socket: ChannelSocket): void {
    this.reader = socket;
    socket.onClose((code, reason) => this.end(code, reason));
    for (const frame of this.waiting.splice(0)) this.pass(frame, socket);
    this.endIfDelivered();
  }

  private take(frame: Frame): void {
    if (this.isOver) return;
    this.buffered.frames += 1;
    this.buffered.bytes += frame.data.length;
    if (this.isFull(1)) this.writer?.pause();
    if (this.reader) this.pass(frame, this.reader);
    else this.waiting.push(frame);
  }

  private pass({ data, isBinary }: Frame, reader: ChannelSocket): void {
    reader.send(data, isBinary, () => {
      this.buffered.frames -= 1;
      this.buffered.bytes -= data.length;
      if (!this.isFull(0.5)) this.writer?.resume();
      this.endIfDelivered();
    });
  }

  /** Whether this share of the buffer is used up. */
  private isFull(share: number): boolean {
    const { frames, bytes } = this.buffered;
    return frames >= share * this.bufferSize || bytes >= share * MAX_BUFFERED_BYTES;
  }

  /** The reader is closed after the last frame, the way the writer was. */
  private endIfDelivered(): void {
    if (!this.writerEnd || !this.reader || this.buffered.frames > 0) return;
    this.end(this.writerEnd.code, this.writerEnd.reason);
  }
}

/** Whether a close frame may hold the code; 1005 and 1006 say that there was none (RFC 6455 7.4). */
function isSendable(code: number): boolean {
  return (
    (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999)
  );
}
