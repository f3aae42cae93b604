import { once } from 'node:events';
import { PassThrough, type Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import * as ws from 'ws';
import { layOut, MAX_FRAME_BYTES, MAX_MESSAGE_BYTES, type Role } from '../../../src/protocol/text-frames.js';

/** Exported by `ws`, but not by its types. */
const { Receiver } = ws as unknown as {
  Receiver: new (options: { isServer: boolean; maxPayload: number }) => Writable;
};

/** Reads frames with the reader of `ws`, which knows nothing of our writer. */
async function read(bytes: Buffer, role: Role, count: number): Promise<string[]> {
  const receiver = new Receiver({ isServer: role === 'client', maxPayload: MAX_MESSAGE_BYTES });
  const messages: string[] = [];
  receiver.on('message', (data: Buffer) => messages.push(data.toString()));
  const stream = new PassThrough();
  stream.pipe(receiver);
  stream.end(bytes);
  while (messages.length < count) await once(receiver, 'message');
  return messages;
}

describe.each<Role>(['server', 'client'])('frames of a %s', (role) => {
  it.each([
    ['nothing', ''],
    ['a short text', 'hello'],
    ['the longest short frame', 'x'.repeat(125)],
    ['one byte more', 'x'.repeat(126)],
    ['the longest medium frame', 'x'.repeat(0xffff)],
    ['one byte more than that', 'x'.repeat(0x10000)],
    ['text beyond ASCII', 'é😀\u0000'.repeat(50)],
    ['units that look short and are not', '漢'.repeat(60)],
  ])('%s comes out as it went in', async (_, text) => {
    expect(await read(layOut([text], role), role, 1)).toEqual([text]);
  });

  it('many messages come out in order', async () => {
    const messages = Array.from({ length: 300 }, (_, n) => `${n} ${'é'.repeat(n)}`);
    expect(await read(layOut(messages, role), role, messages.length)).toEqual(messages);
  });

  it('what is too large for one frame goes in several', async () => {
    const text = '漢'.repeat(MAX_FRAME_BYTES / 3 + 1);
    const bytes = layOut([text, 'next'], role);
    expect(bytes[0]).toBe(0x01); // text, and not final
    expect(await read(bytes, role, 2)).toEqual([text, 'next']);
  });
});

describe('the mask', () => {
  it('is on the frames of a client only, and another one each time', () => {
    const [first, second] = [layOut(['x'.repeat(64)], 'client'), layOut(['x'.repeat(64)], 'client')];
    expect(first.equals(second)).toBe(false);
    expect(layOut(['x'], 'server')).toEqual(Buffer.from([0x81, 1, 0x78]));
  });
});
