import { registerWorker } from 'iii-sdk';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Relay, startRelay } from '../support/gateway-relay.js';
import { describePython, startPython } from '../support/python.js';
import { RawWorker } from '../support/raw-worker.js';
import { ready, Workers } from '../support/sdk.js';
import { eventually, gatewayBeforeHub, useSite } from './site.js';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const TRACE = `00-${TRACE_ID}-b7ad6b7169203331-01`;

const site = useSite(gatewayBeforeHub);
let relay: Relay;
beforeEach(async () => {
  relay = await startRelay(Number(new URL(site.url).port));
});
afterEach(() => relay.stop());

const telemetryIsTaken = () =>
  eventually(() =>
    expect(relay.upgrades).toContainEqual({ request: expect.stringContaining('GET /otel '), status: 101 }),
  );

/** Calls `outer` with a trace, and gives the headers that its call of `inner` carries on. */
async function followTrace(outer: string): Promise<unknown> {
  const raw = await RawWorker.connect(site.url);
  try {
    raw.send({ type: 'registerfunction', id: 'inner' });
    const answer = raw.call(outer, { function_id: 'inner', payload: {} }, { traceparent: TRACE });
    const call = await raw.received(({ function_id }) => function_id === 'inner');
    raw.send({
      type: 'invocationresult',
      invocation_id: call['invocation_id'],
      function_id: 'inner',
      result: 'in',
    });
    expect(await answer).toMatchObject({ result: 'in' });
    return call['traceparent'];
  } finally {
    await raw.stop();
  }
}

describe('npm iii-sdk 0.22.1 with telemetry', () => {
  it('sends its telemetry to the gateway, and carries a trace on', async () => {
    const workers = new Workers();
    const worker = workers.keep(registerWorker(relay.url, { workerName: 'traced', otel: { enabled: true } }));
    worker.registerFunction('outer', ({ function_id, payload }) => worker.trigger({ function_id, payload }));
    await ready(worker);

    expect(await followTrace('outer')).toMatch(new RegExp(`^00-${TRACE_ID}-`));
    await telemetryIsTaken();
    await workers.shutdown();
  });
});

describePython('PyPI iii-sdk with telemetry', (sdk) => {
  it('sends its telemetry to the gateway, and carries a trace on', async () => {
    const python = await startPython(sdk, 'conformance.py', {
      url: relay.url,
      name: 'python',
      telemetry: true,
    });
    try {
      expect(await followTrace('py::ask')).toMatch(new RegExp(`^00-${TRACE_ID}-`));
      await telemetryIsTaken();
    } finally {
      await python.stop();
    }
  });
});
