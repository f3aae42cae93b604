import { AdminClient, type Whereabouts } from '../admin-client.js';
import { statusPage } from '../status-page.js';
import type { Terminal } from '../terminal.js';

/** Shows how a running gateway is. */
export async function status(where: Whereabouts & { json?: boolean }, terminal: Terminal): Promise<void> {
  const client = await AdminClient.find(where, terminal);
  const answer = await client.status();
  const { isColourful } = terminal;
  terminal.out(
    where.json
      ? `${JSON.stringify(answer, null, 2)}\n`
      : statusPage(answer, { now: terminal.now(), isColourful }),
  );
}
