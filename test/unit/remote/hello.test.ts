import { describe, expect, it } from 'vitest';
import { encode } from '../../../src/protocol/encode.js';
import { helloFrames, type PreviousSession } from '../../../src/remote/hello.js';

const framesFor = (previous?: PreviousSession) =>
  helloFrames('our-name', '1.2.3', previous).map((frame) => JSON.parse(encode(frame)));

describe('what we say first to an engine', () => {
  it('is who we are, as a call that nobody answers', () => {
    expect(framesFor()).toEqual([
      {
        type: 'invokefunction',
        function_id: 'engine::workers::register',
        action: { type: 'void' },
        data: {
          runtime: 'node',
          version: '1.2.3',
          name: 'our-name',
          description: 'iii State Gateway',
          os: expect.stringContaining(process.platform),
          pid: process.pid,
          isolation: null,
          telemetry: expect.objectContaining({ framework: 'iii-state-gateway' }),
          features: ['observe.v1', 'large-messages.v1'],
        },
      },
    ]);
  });

  it('claims no feature that would oblige us to host observed functions', () => {
    const [{ data }] = framesFor();
    expect(data.features).not.toContain('observe.v2');
    expect(data.features).not.toContain('local-dispatch.v1');
  });

  it('is who we were, before who we are', () => {
    const frames = framesFor({ workerId: 'w', reattachToken: 't' });
    expect(frames[0]).toEqual({ type: 'reattach', previous_worker_id: 'w', reattach_token: 't' });
    expect(frames[1]).toEqual(framesFor()[0]);
  });

  it('names no token where the engine gave none', () => {
    expect(framesFor({ workerId: 'w' })[0]).toEqual({ type: 'reattach', previous_worker_id: 'w' });
  });
});
