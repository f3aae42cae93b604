import { describe } from 'vitest';
import { EXAMPLES } from '../e2e/examples/all.js';
import { federation } from '../e2e/examples/federate.js';
import { linked, type Setting, stopInTurn } from '../e2e/site.js';
import { startGateway } from '../support/gateway.js';
import { describeEngine, startEngine } from './engine.js';

const gatewayBeforeEngine: Setting = async () => {
  const engine = await startEngine();
  const gateway = await startGateway({ remote: engine.url });
  await linked(gateway.url);
  return { url: gateway.url, hubUrl: engine.url, close: () => stopInTurn(gateway, engine) };
};

describeEngine('a gateway before a real engine', () => {
  describe.for(Object.entries(EXAMPLES))('example: %s', ([, example]) => example(gatewayBeforeEngine));

  describe('two sites, a gateway each, and an engine as their hub', () =>
    federation((port) => startEngine(port === undefined ? {} : { port })));
});
