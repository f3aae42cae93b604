import { beforeEach, describe, expect, it, vi } from 'vitest';
import { GatewayError } from '../../../src/errors.js';
import type { Router } from '../../../src/router/router.js';
import type { Trigger, TriggerSource } from '../../../src/router/triggers.js';
import { FakeWorker, makeRouter } from '../../support/fake-worker.js';

/** A trigger type of our own that refuses configs with a member `bad`. */
class FakeSource implements TriggerSource {
  readonly description = 'a type of our own';
  readonly triggers: Trigger[] = [];

  add(trigger: Trigger): void {
    if (JSON.stringify(trigger.config).includes('bad')) {
      throw new GatewayError('trigger_registration_failed', 'bad config');
    }
    this.triggers.push(trigger);
  }

  remove(trigger: Trigger): void {
    this.triggers.splice(this.triggers.indexOf(trigger), 1);
  }
}

let router: Router;
let provider: FakeWorker;
let registrant: FakeWorker;

beforeEach(() => {
  router = makeRouter();
  provider = FakeWorker.connect(router, 'provider');
  registrant = FakeWorker.connect(router, 'registrant');
});

const handedTo = (worker: FakeWorker) => worker.received('registertrigger').map(({ id }) => id);
const isServed = (id: string) => {
  const trigger = router.triggers.find(id);
  return trigger !== undefined && router.triggers.typeServing(trigger) !== undefined;
};

function refuse(worker: FakeWorker, id: string): void {
  worker.says({
    type: 'triggerregistrationresult',
    id,
    trigger_type: 'my::type',
    function_id: '',
    error: { code: 'trigger_registration_failed', message: 'bad config' },
  });
}

describe('a trigger of a type that a worker provides', () => {
  it('is handed to it as it was registered', () => {
    provider.provides('my::type');
    registrant.binds('t1', 'my::type', 'svc::one', { config: { a: 1 }, metadata: { m: 1 } });

    expect(provider.received('registertrigger')).toEqual([
      {
        type: 'registertrigger',
        id: 't1',
        trigger_type: 'my::type',
        function_id: 'svc::one',
        config: { a: 1 },
        metadata: { m: 1 },
      },
    ]);
    expect(registrant.sent).toHaveLength(1);
  });

  it('is handed over with its namespaces where they are not the default', () => {
    provider.namespace = 'zoo';
    provider.provides('my::type');
    registrant.binds('t1', 'my::type', 'svc::one', { namespace: 'orders', trigger_namespace: 'zoo' });

    expect(provider.received('registertrigger')).toMatchObject([
      { id: 't1', namespace: 'orders', trigger_namespace: 'zoo' },
    ]);
  });

  it('waits for a provider in silence', () => {
    registrant.binds('t1', 'my::type', 'svc::one');
    expect(isServed('t1')).toBe(false);
    expect(registrant.sent).toHaveLength(1);

    provider.provides('another::type');
    expect(handedTo(provider)).toEqual([]);
    provider.provides('my::type');

    expect(handedTo(provider)).toEqual(['t1']);
    expect(isServed('t1')).toBe(true);
  });

  it('waits again when the provider leaves, and goes unchanged to the next one', () => {
    provider.provides('my::type');
    registrant.binds('t1', 'my::type', 'svc::one', { config: { a: 1 } });
    router.disconnect(provider);
    expect(isServed('t1')).toBe(false);

    const next = FakeWorker.connect(router, 'next');
    next.provides('my::type');

    expect(next.received('registertrigger')).toMatchObject([{ id: 't1', config: { a: 1 } }]);
    expect(registrant.sent).toHaveLength(1);
  });

  it('goes to the new provider when another worker registers the type', () => {
    provider.provides('my::type');
    registrant.binds('t1', 'my::type', 'svc::one');
    const next = FakeWorker.connect(router, 'next');
    next.provides('my::type');
    expect(handedTo(next)).toEqual(['t1']);

    router.disconnect(provider);
    registrant.says({ type: 'unregistertrigger', id: 't1' });

    expect(next.received('unregistertrigger')).toHaveLength(1);
  });

  it('waits when the provider gives the type up', () => {
    provider.provides('my::type');
    registrant.binds('t1', 'my::type', 'svc::one');
    registrant.says({ type: 'unregistertriggertype', id: 'my::type' });
    expect(isServed('t1')).toBe(true);

    provider.says({ type: 'unregistertriggertype', id: 'my::type' });
    expect(isServed('t1')).toBe(false);
  });

  it('is taken back with its type named, by its registrant or when that leaves', () => {
    provider.provides('my::type');
    registrant.binds('t1', 'my::type', 'svc::one');
    registrant.binds('t2', 'my::type', 'svc::one');

    registrant.says({ type: 'unregistertrigger', id: 't1' });
    router.disconnect(registrant);

    expect(provider.received('unregistertrigger')).toEqual(
      ['t1', 't2'].map((id) => ({ type: 'unregistertrigger', id, trigger_type: 'my::type' })),
    );
  });

  it('that the provider refuses is parked, and its registrant is told', () => {
    provider.provides('my::type');
    registrant.binds('t1', 'my::type', 'svc::one');
    refuse(provider, 't1');

    expect(registrant.received('triggerregistrationresult')).toEqual([
      {
        type: 'triggerregistrationresult',
        id: 't1',
        trigger_type: 'my::type',
        function_id: 'svc::one',
        error: { code: 'trigger_registration_failed', message: 'bad config' },
      },
    ]);
    expect(isServed('t1')).toBe(false);
    FakeWorker.connect(router, 'another').provides('another::type');
    expect(handedTo(provider)).toEqual(['t1']);
  });

  it('is judged by nobody but its provider', () => {
    provider.provides('my::type');
    registrant.binds('t1', 'my::type', 'svc::one');
    refuse(registrant, 't1');
    refuse(provider, 'unknown');

    expect(isServed('t1')).toBe(true);
    expect(registrant.sent).toHaveLength(1);
  });

  it('is settled silently when it is accepted', () => {
    const settled = vi.fn();
    router.triggers.on('settled', settled);
    provider.provides('my::type');
    registrant.binds('t1', 'my::type', 'svc::one');
    const { id, trigger_type, function_id } = provider.received('registertrigger')[0] ?? {
      id: '',
      trigger_type: '',
      function_id: '',
    };
    provider.says({ type: 'triggerregistrationresult', id, trigger_type, function_id });

    expect(settled).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ id: 't1' }), undefined);
    expect(registrant.sent).toHaveLength(1);
  });
});

describe('a trigger of a type of our own', () => {
  it('is added, and removed when its registrant leaves', () => {
    const source = new FakeSource();
    router.triggers.offerType('state', source);
    registrant.binds('t1', 'state', 'svc::one');
    expect(source.triggers).toMatchObject([{ id: 't1' }]);

    router.disconnect(registrant);
    expect(source.triggers).toEqual([]);
    expect([...router.triggers.all()]).toEqual([]);
  });

  it('that is refused is told to its registrant and forgotten', () => {
    router.triggers.offerType('state', new FakeSource());
    registrant.binds('t1', 'state', 'svc::one', { config: { bad: true } });

    expect(registrant.received('triggerregistrationresult')).toMatchObject([
      { id: 't1', error: { code: 'trigger_registration_failed', message: 'bad config' } },
    ]);
    expect(router.triggers.find('t1')).toBeUndefined();
  });

  it('that was parked is told of a refusal when the type comes', () => {
    registrant.binds('t1', 'state', 'svc::one', { config: { bad: true } });
    registrant.binds('t2', 'state', 'svc::one');
    router.triggers.offerType('state', new FakeSource());

    expect(registrant.received('triggerregistrationresult').map(({ id }) => id)).toEqual(['t1']);
    expect(isServed('t2')).toBe(true);
  });

  it('stays with us: a worker cannot take the type over', () => {
    router.triggers.offerType('state', new FakeSource());
    provider.provides('state');
    registrant.binds('t1', 'state', 'svc::one');

    expect(handedTo(provider)).toEqual([]);
  });

  it('can be served by a worker where it is not ours', () => {
    registrant.binds('t1', 'state', 'svc::one');
    provider.provides('state');

    expect(handedTo(provider)).toEqual(['t1']);
  });
});

describe('a trigger id', () => {
  it('that its owner registers again replaces the earlier trigger', () => {
    const source = new FakeSource();
    router.triggers.offerType('state', source);
    provider.provides('my::type');
    registrant.binds('t1', 'my::type', 'svc::one');
    registrant.binds('t1', 'state', 'svc::two');

    expect(provider.received('unregistertrigger')).toHaveLength(1);
    expect(source.triggers).toMatchObject([{ id: 't1', functionId: 'svc::two' }]);
    expect([...router.triggers.all()]).toHaveLength(1);
  });

  it('of another worker is refused and left alone', () => {
    const source = new FakeSource();
    router.triggers.offerType('state', source);
    registrant.binds('t1', 'state', 'svc::one');
    provider.binds('t1', 'state', 'svc::mine');
    provider.says({ type: 'unregistertrigger', id: 't1' });

    expect(provider.received('triggerregistrationresult')).toMatchObject([
      { id: 't1', error: { code: 'trigger_registration_failed' } },
    ]);
    expect(source.triggers).toMatchObject([{ functionId: 'svc::one' }]);
  });

  it('that is unknown is ignored', () => {
    registrant.says({ type: 'unregistertrigger', id: 'never seen', trigger_type: 'state' });

    expect(registrant.sent).toHaveLength(1);
  });
});

describe('a durable trigger', () => {
  const durable: Trigger = {
    id: 'durable',
    triggerType: 'my::type',
    functionId: 'svc::one',
    namespace: 'default',
    triggerNamespace: undefined,
    config: {},
    metadata: undefined,
    owner: undefined,
  };

  it('outlives every connection and cannot be taken over', () => {
    router.triggers.add(durable);
    registrant.binds('durable', 'my::type', 'svc::mine');
    router.disconnect(registrant);
    provider.provides('my::type');

    expect(provider.received('registertrigger')).toMatchObject([{ id: 'durable', function_id: 'svc::one' }]);
  });

  it('is removed by its id', () => {
    provider.provides('my::type');
    router.triggers.add(durable);

    expect(router.triggers.remove('durable')).toBe(true);
    expect(router.triggers.remove('durable')).toBe(false);
    expect(provider.received('unregistertrigger')).toMatchObject([{ trigger_type: 'my::type' }]);
  });

  it('that is refused has nobody to tell', () => {
    provider.provides('my::type');
    router.triggers.add(durable);
    refuse(provider, 'durable');

    expect(isServed('durable')).toBe(false);
  });
});

describe('namespaces', () => {
  it('are searched for a type: the registrant’s own first, then the default one', () => {
    const zookeeper = FakeWorker.connect(router, 'zookeeper');
    zookeeper.namespace = 'zoo';
    zookeeper.provides('my::type');
    provider.provides('my::type');
    registrant.namespace = 'zoo';
    registrant.binds('inner', 'my::type', 'svc::one');
    registrant.binds('outer', 'my::type', 'svc::one', { trigger_namespace: 'default' });
    registrant.binds('nowhere', 'my::type', 'svc::one', { trigger_namespace: 'desert' });

    expect(handedTo(zookeeper)).toEqual(['inner']);
    expect(handedTo(provider)).toEqual(['outer']);
    expect(isServed('nowhere')).toBe(false);
  });

  it('that a worker declares late take its types and triggers along', () => {
    const zookeeper = FakeWorker.connect(router, 'zookeeper');
    zookeeper.namespace = 'zoo';
    zookeeper.provides('zoo::type');
    provider.provides('zoo::type');
    provider.provides('my::type');
    provider.provides('fixed::type', 'default');
    registrant.binds('moves', 'zoo::type', 'svc::one');
    const visitor = FakeWorker.connect(router, 'visitor');
    visitor.binds('stranded', 'my::type', 'svc::one');
    visitor.binds('stays', 'fixed::type', 'svc::one');

    registrant.namespace = 'zoo';
    router.triggers.follow(registrant);
    provider.namespace = 'farm';
    router.triggers.follow(provider);

    expect(handedTo(zookeeper)).toEqual(['moves']);
    expect(provider.received('unregistertrigger')).toMatchObject([{ id: 'moves' }]);
    expect(isServed('stranded')).toBe(false);
    expect(isServed('stays')).toBe(true);
    expect([...router.triggers.allTypes()].map(({ namespace, id }) => `${namespace} ${id}`).sort()).toEqual([
      'default fixed::type',
      'farm my::type',
      'farm zoo::type',
      'zoo zoo::type',
    ]);
  });
});
