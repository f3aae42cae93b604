import { describe, expect, it } from 'vitest';
import { Payload } from '../../../src/protocol/payload.js';
import { PassageStamp } from '../../../src/remote/passage.js';

const [here, there] = [new PassageStamp('here'), new PassageStamp('there')];

describe('the mark of a passage', () => {
  it('is one payload for all calls that bring none', () => {
    expect(here.stamp(undefined)).toBe(here.stamp(undefined));
    expect(here.stamp(undefined).value).toEqual({ iii_state_gateway: { via: ['here'] } });
  });

  it('is added to what a call brings', () => {
    const metadata = there.stamp(here.stamp(Payload.of({ tenant: 't' })));
    expect(metadata.value).toEqual({ tenant: 't', iii_state_gateway: { via: ['here', 'there'] } });
  });

  it('carries our receipt, and that of no gateway before us', () => {
    expect(here.stamp(undefined, 'here-1').value).toEqual({
      iii_state_gateway: { via: ['here'], receipt: 'here-1' },
    });
    const metadata = here.stamp(Payload.of({ idempotency_key: 'a' }), 'here-1');
    expect(there.stamp(metadata, 'there-2').value).toEqual({
      idempotency_key: 'a',
      iii_state_gateway: { via: ['here', 'there'], receipt: 'there-2' },
    });
    expect(there.stamp(metadata).value).toEqual({
      idempotency_key: 'a',
      iii_state_gateway: { via: ['here', 'there'] },
    });
    expect(here.stamp(undefined).value).toEqual({ iii_state_gateway: { via: ['here'] } });
  });

  it('stops a call that comes round, and no other', () => {
    const metadata = there.stamp(here.stamp(undefined));
    expect(() => here.check(metadata)).toThrow(expect.objectContaining({ code: 'GATEWAY_LOOP' }));
    expect(() => new PassageStamp('elsewhere').check(metadata)).not.toThrow();
  });

  it.each([
    [null],
    ['text'],
    [{ iii_state_gateway: 'x' }],
    [{ iii_state_gateway: { via: [1, { here: 1 }] } }],
  ])('is not read from %j', (metadata) => expect(() => here.check(Payload.of(metadata))).not.toThrow());
});
