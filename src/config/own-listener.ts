import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';

interface Listener {
  readonly host: string;
  readonly port: number;
}

const LOOPBACK = ['127.0.0.1', '::1'];

/**
 * Whether a WebSocket address leads back to our own listener. `interfaces` are the addresses and names of this machine.
 * Other names than these and `localhost` are not looked up: what a call's way shows later is caught there (`GATEWAY_LOOP`).
 */
export function isOwnListener(url: string, listener: Listener, interfaces: readonly string[]): boolean {
  const { protocol, port, hostname: host } = new URL(url);
  const remotePort = port === '' ? (protocol === 'wss:' ? 443 : 80) : Number(port);
  if (listener.port === 0 || remotePort !== listener.port) return false;

  const listened = addressesOf(listener.host);
  const reached = addressesOf(host);
  if (!listened.some(isEveryAddress)) return reached.some((address) => listened.includes(address));
  return reached.some((address) => isLoopback(address) || interfaces.map(plain).includes(address));
}

/** The addresses of this machine's network interfaces, and its name. */
export function ownAddresses(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list = []) => list);
  return [hostname(), ...addresses.map(({ address }) => address)];
}

/** A host as it is listened on or connected to. Connecting to "every address" reaches this machine's loopback. */
function addressesOf(host: string): string[] {
  const address = plain(host);
  if (address === 'localhost') return LOOPBACK;
  return isEveryAddress(address) ? [address, ...LOOPBACK] : [address];
}

function isEveryAddress(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

function isLoopback(address: string): boolean {
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}

/** One spelling for each address: no brackets, no zone, no trailing dot, IPv4 within IPv6 as IPv4. */
function plain(host: string): string {
  const bare = host.toLowerCase().replace(/^\[|\]$|\.$|%.*$/g, '');
  if (isIP(bare) !== 6) return bare;
  const spelled = new URL(`ws://[${bare}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(spelled);
  if (!mapped) return spelled;
  return mapped
    .slice(1)
    .map((part) => Number.parseInt(part, 16))
    .flatMap((pair) => [pair >> 8, pair & 255])
    .join('.');
}
