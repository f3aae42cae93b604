import type { IIIClient } from 'iii-sdk';
import type { ISdk } from 'iii-sdk-0.9';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import { startGateway } from '../support/gateway.js';
import { startHub } from '../support/hub.js';
import { RawWorker } from '../support/raw-worker.js';
import { Workers } from '../support/sdk.js';

/** A place where programs run: what they connect to, and where their state really lives. */
export interface Site {
  /** Where the programs connect. */
  url: string;
  /** The engine behind it, another door to the same state. */
  hubUrl: string;
  close(): Promise<void>;
}

export type Setting = () => Promise<Site>;

/** What most people run: a gateway, and behind it an engine that owns the state; here a second gateway. */
export const gatewayBeforeHub: Setting = async () => {
  const hub = await startHub();
  const gateway = await startGateway({ remote: hub.url });
  await linked(gateway.url);
  return { url: gateway.url, hubUrl: hub.url, close: () => stopInTurn(gateway, hub) };
};

/** Resolves once the remote behind answers; from then on its changes are heard, too. */
export async function linked(url: string): Promise<void> {
  const worker = await RawWorker.connect(url);
  const place = { scope: 'is', key: 'anybody there', stale_if_error: false }; // the gateway itself does not count
  await eventually(async () => expect(await worker.call('state::get', place)).not.toHaveProperty('error'));
  await worker.stop();
}

/** Front to back, so that nobody loses what they still lean on. */
export async function stopInTurn(...parts: { stop(): Promise<void> }[]): Promise<void> {
  for (const part of parts) await part.stop();
}

/** The site of the running test, and its workers. */
export interface SiteInUse {
  readonly url: string;
  connect(name: string): IIIClient;
  connectOlder(name: string): ISdk;
  /** A worker of the engine behind: it sees what really arrived there. */
  connectToHub(name: string): IIIClient;
}

/** Gives every test of a suite a site of its own; workers leave and the site closes when the test is over. */
export function useSite(setting: Setting): SiteInUse {
  const workers = new Workers();
  let site: Site | undefined;
  beforeEach(async () => {
    site = await setting();
  });
  afterEach(async () => {
    await workers.shutdown();
    await site?.close(); // none where it could not be opened
  });
  const open = () => {
    if (!site) throw new Error('the site is open while a test runs');
    return site;
  };
  return {
    get url() {
      return open().url;
    },
    connect: (name) => workers.connect(open().url, name),
    connectOlder: (name) => workers.connectOlder(open().url, name),
    connectToHub: (name) => workers.connect(open().hubUrl, name),
  };
}

/** Waits until the check holds; what a trigger does comes when it comes. */
export function eventually(check: () => unknown): Promise<unknown> {
  return vi.waitFor(check, { timeout: 10_000, interval: 20 });
}
