import { expect, it } from 'vitest';
import { openRecord, sealRecord } from '../../../src/storage/record.js';

const body = Buffer.from('{"value":"ä"}');

it('gives back what it sealed', () => {
  expect(openRecord('k', sealRecord('k', body))).toEqual(body);
  expect(openRecord('', sealRecord('', Buffer.alloc(0)))).toEqual(Buffer.alloc(0));
});

it('notices every flipped bit, a cut at every byte, and bytes behind the end', () => {
  const record = sealRecord('k', body);
  for (let bit = 0; bit < record.length * 8; bit += 1) {
    const damaged = Buffer.from(record);
    damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    expect(openRecord('k', damaged), `bit ${bit}`).toBeUndefined();
  }
  for (let length = 0; length < record.length; length += 1) {
    expect(openRecord('k', record.subarray(0, length)), `cut to ${length}`).toBeUndefined();
  }
  expect(openRecord('k', Buffer.concat([record, Buffer.of(0)]))).toBeUndefined();
});

it('notices a good record under another key', () => {
  expect(openRecord('l', sealRecord('k', body))).toBeUndefined();
});
