import { describe, expect, it } from 'vitest';
import { Functions } from '../../../src/router/functions.js';
import { FakeWorker, makeRouter } from '../../support/fake-worker.js';

const router = makeRouter();
const alice = new FakeWorker(router, 'alice');
const bob = new FakeWorker(router, 'bob');
const register = (id: string) => ({ type: 'registerfunction' as const, id });
const builtIn = { description: 'ours', call: async () => undefined };

describe('functions', () => {
  it('belong to who registers them first, until that worker leaves', () => {
    const functions = new Functions(true);

    expect(functions.register(alice, register('svc::one'))).toEqual({ accepted: true });
    expect(functions.register(bob, register('svc::one'))).toEqual({
      accepted: false,
      ownerWorkerId: 'alice',
    });

    functions.dropOwnedBy(alice);
    expect(functions.register(bob, register('svc::one'))).toEqual({ accepted: true });
  });

  it('are replaced when their owner registers them again', () => {
    const functions = new Functions(true);
    functions.register(alice, { ...register('svc::one'), description: 'old' });
    functions.register(alice, { ...register('svc::one'), description: 'new' });

    expect(functions.find('default', 'svc::one')).toMatchObject({ registration: { description: 'new' } });
  });

  it.each(['engine::anything', 'gateway::status', 'state::set', 'state::list_entries', 'state::on-changed'])(
    'of our own cannot be taken over: %s',
    (id) => {
      expect(new Functions(true).register(alice, register(id))).toEqual({
        accepted: false,
        ownerWorkerId: '',
      });
    },
  );

  it('of our own cannot be taken over when they have any other id', () => {
    const functions = new Functions(true);
    functions.offer('publish', builtIn);

    expect(functions.register(alice, register('publish'))).toEqual({ accepted: false, ownerWorkerId: '' });
    expect(functions.find('default', 'publish')).toMatchObject({ kind: 'built-in' });
  });

  it('with other ids below state:: are free', () => {
    expect(new Functions(true).register(alice, register('state::onUserUpdated'))).toEqual({ accepted: true });
  });

  it('of State are free where this gateway has none', () => {
    const functions = new Functions(false);

    expect(functions.register(alice, register('state::set'))).toEqual({ accepted: true });
    expect(functions.register(alice, register('engine::x'))).toMatchObject({ accepted: false });
  });

  it('are unregistered by their owner only', () => {
    const functions = new Functions(true);
    functions.register(alice, register('svc::one'));

    functions.unregister(bob, 'svc::one');
    expect(functions.find('default', 'svc::one')).toBeDefined();
    functions.unregister(alice, 'svc::one');
    expect(functions.find('default', 'svc::one')).toBeUndefined();
    functions.unregister(alice, 'svc::one');
  });

  it('follow their worker to another namespace, but for those that are taken there', () => {
    const functions = new Functions(true);
    const mover = new FakeWorker(router, 'mover');
    const settler = new FakeWorker(router, 'settler');
    settler.namespace = 'orders';
    functions.register(settler, register('svc::taken'));
    functions.register(mover, register('svc::free'));
    functions.register(mover, register('svc::taken'));

    mover.namespace = 'orders';
    const displaced = functions.follow(mover);

    expect(displaced).toEqual([{ id: 'svc::taken', ownerWorkerId: 'settler' }]);
    expect(functions.namespacesOf('svc::free')).toEqual(['orders']);
    expect(functions.namespacesOf('svc::taken')).toEqual(['orders']);
    expect(functions.find('orders', 'svc::taken')).toMatchObject({ owner: settler });
  });

  it('tell when an id comes or goes, and not when it is registered again', () => {
    const functions = new Functions(true);
    const seen: string[] = [];
    functions.on('change', (change, { id }) => seen.push(`${change} ${id}`));

    functions.offer('publish', builtIn);
    functions.register(alice, register('svc::one'));
    functions.register(alice, register('svc::one'));
    functions.register(bob, register('svc::one'));
    functions.dropOwnedBy(alice);

    expect(seen).toEqual(['added publish', 'added svc::one', 'removed svc::one']);
  });
});
