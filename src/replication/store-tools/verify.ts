import { findMark } from '../../storage/high-water-mark.js';
import { inspect } from './inspect.js';
import type { Inspection } from './inspection.js';
import { StoreSite } from './store-site.js';

/**
 * Looks at everything that a stopped gateway keeps, and changes nothing.
 * @throws GatewayError `GATEWAY_STORAGE`: in use, no store, of another format, or beyond reading.
 */
export async function verifyStore(dataDir: string): Promise<Inspection> {
  const site = await StoreSite.take(dataDir);
  try {
    const { copy, inspection } = await inspect(site.store, dataDir, await findMark(dataDir));
    await copy.close();
    return inspection;
  } finally {
    await site.release();
  }
}
