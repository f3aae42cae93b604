import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ChannelDirection, type ChannelSocket, Channels } from '../../../src/router/channels.js';

/** A connection that sends when it is told to. */
class FakeSocket implements ChannelSocket {
  readonly sent: string[] = [];
  readonly closes: [code?: number, reason?: string][] = [];
  isPaused = false;
  private readonly unsent: (() => void)[] = [];
  private tell: (data: Buffer, isBinary: boolean) => void = () => undefined;
  private tellClose: (code: number, reason: string) => void = () => undefined;

  constructor(private readonly isSlow = false) {}

  send(data: Buffer, isBinary: boolean, done: () => void): void {
    this.sent.push(`${isBinary ? 'binary' : 'text'} ${data}`);
    this.unsent.push(done);
    if (!this.isSlow) this.drain();
  }

  close(...how: [code?: number, reason?: string]): void {
    this.closes.push(how);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  onMessage(listener: (data: Buffer, isBinary: boolean) => void): void {
    this.tell = listener;
  }

  onClose(listener: (code: number, reason: string) => void): void {
    this.tellClose = listener;
  }

  /** The other side sends texts. */
  says(...texts: string[]): void {
    for (const text of texts) this.tell(Buffer.from(text), false);
  }

  saysBinary(data: string | Buffer): void {
    this.tell(Buffer.from(data), true);
  }

  closed(code: number, reason = ''): void {
    this.tellClose(code, reason);
  }

  /** So many frames leave; all of them if no number is given. */
  drain(frames = this.unsent.length): void {
    for (const done of this.unsent.splice(0, frames)) done();
  }
}

let time: number;
let channels: Channels;

beforeEach(() => {
  time = 0;
  let made = 0;
  channels = new Channels({
    now: () => time,
    randomUuid: () => {
      made += 1;
      return `uuid-${made}`;
    },
    maxOpen: 3,
  });
});

afterEach(() => vi.useRealTimers());

function open(bufferSize?: number) {
  const { id, key } = channels.create(bufferSize);
  return {
    id,
    key,
    take: (direction: ChannelDirection, socket: ChannelSocket) => channels.attach(id, key, direction, socket),
  };
}

function connect(options: { bufferSize?: number; slowReader?: boolean } = {}) {
  const { take } = open(options.bufferSize);
  const [writer, reader] = [new FakeSocket(), new FakeSocket(options.slowReader)];
  take('write', writer);
  take('read', reader);
  return { writer, reader };
}

describe('a channel', () => {
  it('passes frames one to one and in order, text as text and binary as binary', () => {
    const { writer, reader } = connect();
    writer.says('one', '');
    writer.saysBinary('two');
    writer.says('three');

    expect(reader.sent).toEqual(['text one', 'text ', 'binary two', 'text three']);
  });

  it('keeps what comes before the reader does', () => {
    const { take } = open();
    const [writer, reader] = [new FakeSocket(), new FakeSocket()];
    take('write', writer);
    writer.says('early');
    take('read', reader);
    writer.says('late');

    expect(reader.sent).toEqual(['text early', 'text late']);
  });

  it.each([
    [1000, 'stream_complete'],
    [1000, 'channel_close'],
    [4001, 'mine'],
  ])('closes its reader as its writer was closed: %i %s', (code, reason) => {
    const { writer, reader } = connect();
    writer.says('last');
    writer.closed(code, reason);

    expect(reader.sent).toEqual(['text last']);
    expect(reader.closes).toEqual([[code, reason]]);
    expect(channels.size).toBe(0);
  });

  it.each([1005, 1006, 1015])('closes its reader without a code where no frame can hold it: %i', (code) => {
    const { writer, reader } = connect();
    writer.closed(code);

    expect(reader.closes).toEqual([[]]);
  });

  it('closes its reader only after the last frame has left', () => {
    const { writer, reader } = connect({ slowReader: true });
    writer.says('one', 'two');
    writer.closed(1000, 'stream_complete');
    reader.drain(1);
    expect(reader.closes).toEqual([]);

    reader.drain();
    expect(reader.closes).toEqual([[1000, 'stream_complete']]);
  });

  it('gives everything to a reader that comes after its writer has gone', () => {
    const { take } = open();
    const [writer, reader] = [new FakeSocket(), new FakeSocket()];
    take('write', writer);
    writer.says('one');
    writer.closed(1000, 'stream_complete');
    expect(channels.size).toBe(1);
    take('read', reader);

    expect(reader.sent).toEqual(['text one']);
    expect(reader.closes).toEqual([[1000, 'stream_complete']]);
    expect(channels.size).toBe(0);
  });

  it('closes its writer when its reader goes, even one that is held back', () => {
    const { writer, reader } = connect({ bufferSize: 1, slowReader: true });
    writer.says('one');
    expect(writer.isPaused).toBe(true);
    reader.closed(1000, 'enough');
    writer.says('nobody hears this');

    expect(writer.isPaused).toBe(false);
    expect(writer.closes).toEqual([[1000, 'enough']]);
    expect(reader.sent).toEqual(['text one']);
    expect(channels.size).toBe(0);
  });
});

describe('the buffer', () => {
  it('holds the writer back when it is full, and lets it go on when it is half empty', () => {
    const { writer, reader } = connect({ bufferSize: 4, slowReader: true });
    writer.says('1', '2', '3');
    expect(writer.isPaused).toBe(false);
    writer.says('4');
    expect(writer.isPaused).toBe(true);

    reader.drain(2);
    expect(writer.isPaused).toBe(true);
    reader.drain(1);
    expect(writer.isPaused).toBe(false);
  });

  it('holds the writer back while there is no reader', () => {
    const { take } = open(2);
    const [writer, reader] = [new FakeSocket(), new FakeSocket()];
    take('write', writer);
    writer.says('1', '2');
    expect(writer.isPaused).toBe(true);

    take('read', reader);
    expect(writer.isPaused).toBe(false);
    expect(reader.sent).toHaveLength(2);
  });

  it('is bounded in bytes too', () => {
    const { writer, reader } = connect({ slowReader: true });
    writer.saysBinary(Buffer.alloc(16 * 1024 * 1024));
    expect(writer.isPaused).toBe(true);

    reader.drain();
    expect(writer.isPaused).toBe(false);
  });

  it.each([
    [undefined, 64],
    [0, 1],
    [5000, 1024],
  ])('asked for with %j holds %i frames', (asked, size) => {
    const { writer } = connect({ ...(asked !== undefined && { bufferSize: asked }), slowReader: true });
    for (let frame = 1; frame < size; frame += 1) writer.says('x');
    expect(writer.isPaused).toBe(false);
    writer.says('x');
    expect(writer.isPaused).toBe(true);
  });
});

describe('an end', () => {
  it('is for who has the key, and only once', () => {
    const { id, key, take } = open();

    expect(channels.admits(id, key, 'read')).toBe(true);
    expect(channels.admits(id, 'guess', 'read')).toBe(false);
    expect(channels.admits(id, `${key}!`, 'read')).toBe(false);
    expect(channels.admits('unknown', key, 'read')).toBe(false);
    expect(channels.attach(id, 'guess', 'read', new FakeSocket())).toBe(false);
    expect(take('read', new FakeSocket())).toBe(true);
    expect(take('read', new FakeSocket())).toBe(false);
    expect(take('write', new FakeSocket())).toBe(true);
    expect(take('write', new FakeSocket())).toBe(false);
  });

  it('that a second one asks for stays with the first', () => {
    const { take } = open();
    const [writer, reader, second] = [new FakeSocket(), new FakeSocket(), new FakeSocket()];
    take('write', writer);
    take('read', reader);
    take('read', second);
    writer.says('one');

    expect(reader.sent).toEqual(['text one']);
    expect(second.sent).toEqual([]);
  });
});

describe('the registry', () => {
  it('gives up channels that miss an end after 5 minutes', () => {
    const lonely = new FakeSocket();
    const { id, key, take } = open(1);
    take('write', lonely);
    lonely.says('one');
    const { reader } = connect();
    time = 5 * 60_000 - 1;
    channels.sweep();
    expect(channels.size).toBe(2);

    time += 1;
    channels.sweep();

    expect(channels.admits(id, key, 'read')).toBe(false);
    expect(lonely.closes).toEqual([[1013, 'the other end never came']]);
    expect(lonely.isPaused).toBe(false);
    expect(reader.closes).toEqual([]);
    expect(channels.size).toBe(1);
  });

  it('sweeps every minute between start and stop, and ends what is open when it stops', async () => {
    vi.useFakeTimers();
    await channels.start();
    await channels.start();
    open();
    const { writer, reader } = connect();
    time = 5 * 60_000;
    vi.advanceTimersByTime(60_000);
    expect(channels.size).toBe(1);

    await channels.stop();
    await channels.stop();

    expect(vi.getTimerCount()).toBe(0);
    expect([writer.closes, reader.closes]).toEqual([[[1012, 'gateway stops']], [[1012, 'gateway stops']]]);
    expect(channels.size).toBe(0);
  });

  it('holds a limited number of channels', () => {
    open();
    open();
    const { writer } = connect();
    expect(() => channels.create()).toThrowError(expect.objectContaining({ code: 'GATEWAY_RATE_LIMITED' }));

    writer.closed(1000, 'stream_complete');
    expect(channels.create()).toMatchObject({ id: expect.any(String) });
  });
});
