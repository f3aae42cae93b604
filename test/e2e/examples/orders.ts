import { expect, it } from 'vitest';
import { ready } from '../../support/sdk.js';
import { followOrder, orders } from '../programs/orders.js';
import { eventually, type Setting, useSite } from '../site.js';

/** Read, write, update and delete over one scope, and a trigger on one of its keys. */
export function ordersExample(setting: Setting): void {
  const site = useSite(setting);

  it('keeps orders in one scope', async () => {
    const desk = site.connect('desk');
    const clerk = site.connect('clerk');
    orders(desk);
    await ready(desk);
    const ask = (name: string, payload: object) => clerk.trigger({ function_id: `orders::${name}`, payload });

    const placed = { id: 'o-1', item: 'lamp', status: 'placed' };
    const shipped = { ...placed, status: 'shipped' };
    expect(await ask('place', placed)).toMatchObject({ old_value: null, new_value: placed });
    expect(await ask('find', { id: 'o-1' })).toEqual(placed);
    expect(await ask('ship', { id: 'o-1' })).toMatchObject({ old_value: placed, new_value: shipped });
    await ask('place', { id: 'o-2', item: 'chair' });
    expect(await ask('all', {})).toEqual([shipped, { id: 'o-2', item: 'chair', status: 'placed' }]);
    expect(await ask('cancel', { id: 'o-2' })).toEqual({ id: 'o-2', item: 'chair', status: 'placed' });
    expect(await ask('find', { id: 'o-2' })).toBeUndefined();
    expect(await ask('all', {})).toEqual([shipped]);

    const groups = await clerk.trigger({ function_id: 'state::list_groups', payload: {} });
    expect(groups).toEqual({ groups: ['orders'] });
  });

  it('tells a follower of one order each of its changes', async () => {
    const desk = site.connect('desk');
    const follower = site.connect('follower');
    const events: unknown[] = [];
    orders(desk);
    followOrder(follower, 'o-1', (event) => events.push(event));
    await ready(desk, follower);
    const ask = (name: string, payload: object) => desk.trigger({ function_id: `orders::${name}`, payload });
    const toldOf = (number: number, change: object) =>
      eventually(() => {
        expect(events).toHaveLength(number);
        expect(events.at(-1)).toMatchObject({ type: 'state', scope: 'orders', key: 'o-1', ...change });
      });

    const placed = { id: 'o-1', item: 'lamp', status: 'placed' };
    const shipped = { ...placed, status: 'shipped' };
    await ask('place', { id: 'o-2', item: 'chair' });
    await ask('place', placed);
    await toldOf(1, { event_type: 'state:created', old_value: null, new_value: placed });
    await ask('ship', { id: 'o-1' });
    await toldOf(2, { event_type: 'state:updated', old_value: placed, new_value: shipped });
    await ask('cancel', { id: 'o-1' });
    await toldOf(3, { event_type: 'state:deleted', old_value: shipped, new_value: null });
  });
}
