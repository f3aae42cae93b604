import type { IIIClient } from 'iii-sdk';

export interface Order {
  id: string;
  item: string;
  status: 'placed' | 'shipped';
}

/** Orders over one scope: written, read, updated, listed and deleted. */
export function orders(iii: IIIClient): void {
  const scope = 'orders';

  iii.registerFunction('orders::place', ({ id, item }: Order) =>
    iii.trigger({
      function_id: 'state::set',
      payload: { scope, key: id, value: { id, item, status: 'placed' } },
    }),
  );

  iii.registerFunction('orders::find', ({ id }: Order) =>
    iii.trigger({ function_id: 'state::get', payload: { scope, key: id } }),
  );

  iii.registerFunction('orders::ship', ({ id }: Order) =>
    iii.trigger({
      function_id: 'state::update',
      payload: { scope, key: id, ops: [{ type: 'set', path: 'status', value: 'shipped' }] },
    }),
  );

  iii.registerFunction('orders::cancel', ({ id }: Order) =>
    iii.trigger({ function_id: 'state::delete', payload: { scope, key: id } }),
  );

  iii.registerFunction('orders::all', () => iii.trigger({ function_id: 'state::list', payload: { scope } }));
}

/** Tells of every change of one order. */
export function followOrder(iii: IIIClient, id: string, tell: (event: unknown) => void): void {
  const handler = iii.registerFunction('orders::on-status-change', async (event: unknown) => tell(event));
  iii.registerTrigger({ type: 'state', function_id: handler.id, config: { scope: 'orders', key: id } });
}
