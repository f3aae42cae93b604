import { describe, expect, it } from 'vitest';
import { ready } from '../support/sdk.js';
import { eventually, gatewayBeforeHub, useSite } from './site.js';

describe('what programs on npm iii-sdk 0.9.0 still do', () => {
  const site = useSite(gatewayBeforeHub);

  it('updates with operations of a single key, as the documentation of its time shows them', async () => {
    const worker = site.connectOlder('older');
    const update = (...ops: object[]) =>
      worker.trigger({ function_id: 'state::update', payload: { scope: 'pages', key: 'home', ops } });

    expect(await update({ set: { title: 'Home', draft: true } })).toMatchObject({ old_value: null });
    await update({ increment: { field: 'views', by: 3 } }, { decrement: { field: 'views', by: 1 } });
    const result = await update({ merge: { title: 'Start' } }, { remove: 'draft' });

    expect(result).toMatchObject({ new_value: { title: 'Start', views: 2 } });
  });

  it('lists functions and triggers through its own helpers', async () => {
    const worker = site.connectOlder('older');
    worker.registerFunction({ id: 'older::greet', description: 'Says hello' }, async () => 'hello');

    worker.registerTrigger({ type: 'state', function_id: 'older::greet', config: { scope: 'guests' } });

    const functions = await worker.listFunctions();
    const triggers = await worker.listTriggers();

    const greet = { function_id: 'older::greet', description: 'Says hello' };
    expect(functions).toContainEqual(expect.objectContaining(greet));
    const trigger = { trigger_type: 'state', function_id: 'older::greet', config: { scope: 'guests' } };
    expect(triggers).toContainEqual(expect.objectContaining(trigger));
  });

  it('is told which functions there are, whenever that changes', async () => {
    const [watcher, newcomer] = [site.connectOlder('watcher'), site.connectOlder('newcomer')];
    let known: string[] = [];
    watcher.onFunctionsAvailable((functions) => {
      known = functions.map(({ function_id }) => function_id);
    });
    await ready(watcher);

    newcomer.registerFunction({ id: 'newcomer::greet' }, async () => 'hello');

    await eventually(() => expect(known).toContain('newcomer::greet'));
  });
});
