import { rateRatioRow, rateRow } from '../harness/compare.js';
import { atLeast, type Row } from '../harness/report.js';
import type { Puts, StoreCommands } from '../harness/roles/store.js';
import type { Scenario } from '../harness/scenario.js';
import { interleave } from '../harness/windows.js';

const WRITERS = 128;

export const groupCommit: Scenario = {
  name: 'group-commit',
  title: `${WRITERS} writers that share fsyncs against synchronous puts one by one, in one process`,
  async run(stage, pace) {
    const store = stage.startRole<StoreCommands>('store');
    await store.commands.open({ folder: stage.temporaryFolder() });
    const rows: Row[] = [];
    for (const valueBytes of [100, 1024]) {
      const window = { valueBytes, windowMs: pace.windowMs };
      const { together, serial } = await interleave<'together' | 'serial', Puts>(
        {
          together: () => store.commands.together({ ...window, writers: WRITERS }),
          serial: () => store.commands.oneByOne(window),
        },
        pace,
      );
      const target = valueBytes === 100 ? atLeast(20) : undefined;
      rows.push(
        rateRow(`${valueBytes} B, one by one`, serial),
        rateRow(`${valueBytes} B, ${WRITERS} writers`, together),
        rateRatioRow(`${valueBytes} B, ${WRITERS} writers / one by one`, together, serial, target),
      );
    }
    return { rows };
  },
};
