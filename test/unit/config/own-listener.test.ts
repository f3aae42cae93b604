import { describe, expect, it } from 'vitest';
import { isOwnListener } from '../../../src/config/own-listener.js';

const interfaces = ['127.0.0.1', '::1', '10.1.2.3'];
const loopback = { host: '127.0.0.1', port: 49134 };
const everywhere = { host: '0.0.0.0', port: 49134 };

describe('a remote that is our own listener', () => {
  it.each([
    'ws://localhost:49134',
    'ws://127.0.0.1:49134/',
    'ws://0.0.0.0:49134',
    'ws://LOCALHOST:49134/?x=1',
  ])('%s, with a listener on loopback', (url) => expect(isOwnListener(url, loopback, interfaces)).toBe(true));

  it.each(['ws://10.1.2.3:49134', 'ws://[::1]:49134', 'ws://localhost:49134'])(
    '%s, with a listener everywhere',
    (url) => expect(isOwnListener(url, everywhere, interfaces)).toBe(true),
  );
});

describe('a remote that is somebody else', () => {
  it.each(['ws://localhost:49135', 'ws://hub.example:49134', 'ws://10.9.9.9:49134', 'wss://localhost'])(
    '%s',
    (url) => expect(isOwnListener(url, everywhere, interfaces)).toBe(false),
  );

  it('any, when the listener takes a free port', () => {
    expect(isOwnListener('ws://localhost:1', { host: '127.0.0.1', port: 0 }, interfaces)).toBe(false);
  });
});
