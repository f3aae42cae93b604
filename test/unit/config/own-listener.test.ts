import { describe, expect, it } from 'vitest';
import { isOwnListener, ownAddresses } from '../../../src/config/own-listener.js';

const interfaces = ['127.0.0.1', '::1', '192.168.1.5', 'fe80::1%eth0', '2001:db8::5', 'site-a'];
const isOwn = (url: string, host = '127.0.0.1', port = 49134) =>
  isOwnListener(url, { host, port }, interfaces);

describe('isOwnListener', () => {
  it.each([
    ['ws://localhost:49134'],
    ['ws://LOCALHOST:49134/'],
    ['ws://localhost.:49134/some/path?query'],
    ['ws://127.0.0.1:49134'],
    ['ws://127.1:49134'],
    ['ws://0.0.0.0:49134'],
    ['ws://[::]:49134'],
    ['ws://[::ffff:127.0.0.1]:49134'],
    ['wss://127.0.0.1:49134'],
  ])('on loopback: %s is', (url) => expect(isOwn(url)).toBe(true));

  it.each([
    ['ws://localhost:49135'],
    ['ws://localhost'],
    ['ws://192.168.1.5:49134'],
    ['ws://hub:49134'],
    ['ws://127.0.0.2:49134'],
  ])('on loopback: %s is not', (url) => expect(isOwn(url)).toBe(false));

  it.each([
    ['ws://localhost:49134'],
    ['ws://127.0.0.2:49134'],
    ['ws://192.168.1.5:49134'],
    ['ws://[::ffff:192.168.1.5]:49134'],
    ['ws://[2001:0db8::0005]:49134'],
    ['ws://[fe80::1]:49134'],
    ['ws://0.0.0.0:49134'],
    ['ws://site-a:49134'],
  ])('on every address: %s is', (url) => {
    expect(isOwn(url, '0.0.0.0')).toBe(true);
    expect(isOwn(url, '::')).toBe(true);
  });

  it.each([['ws://192.168.1.6:49134'], ['ws://hub.example:49134'], ['ws://192.168.1.5:1']])(
    'on every address: %s is not',
    (url) => expect(isOwn(url, '0.0.0.0')).toBe(false),
  );

  it('knows a listener on one address or name', () => {
    expect(isOwn('ws://192.168.1.5:49134', '192.168.1.5')).toBe(true);
    expect(isOwn('ws://localhost:49134', '192.168.1.5')).toBe(false);
    expect(isOwn('ws://[::1]:49134', '::1')).toBe(true);
    expect(isOwn('ws://[::1]:49134', 'localhost')).toBe(true);
    expect(isOwn('ws://Site-A:49134', 'site-a')).toBe(true);
  });

  it('knows the default ports of both schemes', () => {
    expect(isOwn('ws://localhost', '127.0.0.1', 80)).toBe(true);
    expect(isOwn('wss://localhost', '127.0.0.1', 443)).toBe(true);
    expect(isOwn('wss://localhost', '127.0.0.1', 80)).toBe(false);
  });

  it('cannot know a listener on any free port', () => {
    expect(isOwn('ws://localhost:49134', '127.0.0.1', 0)).toBe(false);
  });

  it('is given the addresses of this machine', () => expect(ownAddresses()).toContain('127.0.0.1'));
});
