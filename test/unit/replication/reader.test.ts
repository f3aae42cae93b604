import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GatewayError } from '../../../src/errors.js';
import type { StateFunctionId } from '../../../src/operations/calls.js';
import { decodeInput } from '../../../src/operations/inputs.js';
import type { Json, JsonObject } from '../../../src/protocol/json.js';
import type { InvocationResult } from '../../../src/protocol/messages.js';
import { Payload } from '../../../src/protocol/payload.js';
import type { RemoteCall } from '../../../src/remote/calls.js';
import { Freshness } from '../../../src/replication/mirror/freshness.js';
import { Mirror } from '../../../src/replication/mirror/mirror.js';
import type { OwnWrites, PendingKey } from '../../../src/replication/own-writes.js';
import { Reader } from '../../../src/replication/reads/reader.js';
import type { ReadRules } from '../../../src/replication/reads/reader-wishes.js';
import { ABSENT, type Known, knownValue, UNKNOWN, type View } from '../../../src/replication/view.js';
import { DamageReport } from '../../../src/storage/damage.js';
import { Database } from '../../../src/storage/database.js';
import { GroupCommit } from '../../../src/storage/group-commit.js';
import { silentLogger } from '../../support/silent-logger.js';
import { type TempDir, tempDir } from '../../support/temp-dir.js';

const text = (value: string): Known => ({ kind: 'value', text: value });
const offline = () => new GatewayError('GATEWAY_OFFLINE', 'The link is down');

/** A remote that answers when the test says so. */
class FakeRemote {
  available = true;
  readonly calls: { call: RemoteCall; deadlineMs: number }[] = [];
  /** What the next calls get. */
  next: () => Promise<Pick<InvocationResult, 'result' | 'error'>> = () => Promise.reject(offline());

  async call(call: RemoteCall, deadlineMs: number): Promise<InvocationResult> {
    this.calls.push({ call, deadlineMs });
    return {
      type: 'invocationresult',
      invocation_id: 'id',
      function_id: call.function_id,
      ...(await this.next()),
    };
  }

  answers(result: string | undefined): void {
    this.next = async () => (result === undefined ? {} : { result: Payload.fromText(result) });
  }

  fails(code: 'GATEWAY_OFFLINE' | 'GATEWAY_TIMEOUT' | 'GATEWAY_OUTCOME_UNKNOWN' | 'GATEWAY_TOO_LARGE'): void {
    this.next = () => Promise.reject(new GatewayError(code, 'no answer'));
  }

  refuses(code: string): void {
    this.next = async () => ({ error: { code, message: 'the remote says so', stacktrace: 'there' } });
  }
}

/** Pending writes as the test says. */
class FakeOwnWrites implements OwnWrites {
  readonly pending = new Map<string, PendingKey>();
  readonly waits: [string, string | undefined, number][] = [];
  /** What happens while somebody waits. */
  meanwhile: () => void = () => undefined;
  /** What happens right after the pending writes of a scope were read. */
  asked: (times: number) => void = () => undefined;
  private timesAsked = 0;

  get any(): boolean {
    return this.pending.size > 0;
  }
  viewOf(scope: string, key: string): View | undefined {
    return scope === 's' ? this.pending.get(key)?.view : undefined;
  }
  isBusy(scope: string, key: string): boolean {
    return this.viewOf(scope, key) !== undefined;
  }
  async pendingIn(scope: string): Promise<PendingKey[]> {
    const pending = scope === 's' ? [...this.pending.values()] : [];
    this.timesAsked += 1;
    this.asked(this.timesAsked);
    return pending;
  }
  async pendingScopes(): Promise<Set<string>> {
    return new Set([...this.pending.values()].some(({ view }) => view.kind === 'value') ? ['s'] : []);
  }
  async settled(scope: string, key: string | undefined, waitMs: number): Promise<void> {
    this.waits.push([scope, key, waitMs]);
    this.meanwhile();
  }
  accept(key: string, base: View, view: View): void {
    this.pending.set(key, { key, base, view });
  }
}

let folder: TempDir;
let database: Database;
let mirror: Mirror;
let remote: FakeRemote;
let own: FakeOwnWrites;
let freshness: Freshness;
let rules: ReadRules;
let now: number;
let reader: Reader;
/** The scopes whose changes the reader wants to be told of, as often as it says so. */
let followed: string[];

beforeEach(async () => {
  folder = await tempDir();
  database = new Database(folder.path, silentLogger());
  await database.open();
  now = 1_000_000;
  const damage = new DamageReport(silentLogger());
  mirror = await Mirror.open({
    database,
    commits: new GroupCommit(database, { sync: 'every-write' }),
    damage,
    maxBytes: 2 ** 28,
    now: () => now,
    isNeeded: () => false,
  });
  remote = new FakeRemote();
  own = new FakeOwnWrites();
  freshness = new Freshness();
  rules = { consistency: 'remote', maxAgeMs: 0, staleIfError: true };
  followed = [];
  const stamp = (metadata: Payload | undefined) => Payload.of({ stamped: metadata?.value ?? null });
  reader = new Reader({
    remote,
    mirror,
    own,
    freshness,
    follow: (scope) => followed.push(scope),
    stamp,
    patienceMs: 2000,
    rulesFor: () => rules,
    epoch: () => 'epoch',
    now: () => now,
  });
});
afterEach(async () => {
  await mirror.stop();
  await database.close();
  await folder.remove();
});

function ask(functionId: StateFunctionId, data: Json): Promise<string | undefined> {
  const { input, payload } = decodeInput(functionId, Payload.of(data));
  const call = { input, payload, caller: 'worker', metadata: Payload.of('mine'), traceparent: 'trace' };
  return reader.answer(call).then((answer) => answer?.text);
}

const get = (wishes: JsonObject = {}) => ask('state::get', { scope: 's', key: 'k', ...wishes });
const list = (wishes: JsonObject = {}) => ask('state::list', { scope: 's', ...wishes });
const groups = (wishes: JsonObject = {}) => ask('state::list_groups', wishes);

describe('Reader: remote-answers', () => {
  it.each<[StateFunctionId, Json, string]>([
    ['state::get', { scope: 's', key: 'k', extra: 1 }, '{"a" : 1.0}'],
    ['state::list', { scope: 's' }, '[1, 2]'],
    ['state::list_groups', {}, '{"groups": ["s"]}'],
    ['state::list_keys', { scope: 's' }, '{"keys":["k"]}'],
    ['state::list_entries', { scope: 's' }, '{"entries":[]}'],
    ['state::get', ['s', 'k'], '1'],
    ['state::list', ['s'], '[]'],
  ])('%s of %j goes to the remote as it is, and the answer comes back as it is', async (id, data, answer) => {
    remote.answers(answer);
    expect(await ask(id, data)).toBe(answer);
    const [{ call, deadlineMs } = expect.fail('not called')] = remote.calls;
    expect(call.function_id).toBe(id);
    expect(call.data?.value).toEqual(data);
    expect(call.metadata?.value).toEqual({ stamped: 'mine' });
    expect(call.traceparent).toBe('trace');
    expect(deadlineMs).toBe(2000);
  });

  it('an answer without a result stays one', async () => {
    remote.answers(undefined);
    expect(await get()).toBeUndefined();
  });

  it.each(['GET_ERROR', 'function_not_found', 'GATEWAY_OFFLINE', 'GATEWAY_TIMEOUT'])(
    'an error that the remote answers is its answer, %s too, whatever we know',
    async (code) => {
      mirror.learn('s', 'k', text('1'));
      mirror.scopes.learnList(mirror.scopes.beginList('s'), '[1]');
      mirror.scopes.learnGroups(mirror.scopes.beginGroups(), '{"groups":[]}');
      remote.refuses(code);
      const error = { code, message: 'the remote says so', stacktrace: 'there' };
      await expect(get()).rejects.toMatchObject(error);
      await expect(list()).rejects.toMatchObject(error);
      await expect(groups()).rejects.toMatchObject(error);
      await expect(ask('state::list_keys', { scope: 's' })).rejects.toMatchObject(error);
    },
  );
});

describe('Reader: unknown-is-not-absent', () => {
  it.each(['GATEWAY_OFFLINE', 'GATEWAY_TIMEOUT', 'GATEWAY_OUTCOME_UNKNOWN'] as const)(
    'after %s a value that was read before is given, an absence is no result, anything else an error',
    async (code) => {
      remote.answers('{"a":1}');
      await get();
      remote.answers(undefined);
      await ask('state::get', { scope: 's', key: 'gone' });
      remote.fails(code);
      expect(await get()).toBe('{"a":1}');
      expect(await ask('state::get', { scope: 's', key: 'gone' })).toBeUndefined();
      await expect(ask('state::get', { scope: 's', key: 'other' })).rejects.toMatchObject({
        code: 'GATEWAY_OFFLINE_UNKNOWN',
      });
      expect([reader.hits, reader.misses]).toEqual([2, 1]);
    },
  );

  it('any other failure of the call is told as it is', async () => {
    mirror.learn('s', 'k', text('1'));
    remote.fails('GATEWAY_TOO_LARGE');
    await expect(get()).rejects.toMatchObject({ code: 'GATEWAY_TOO_LARGE' });
    await expect(list()).rejects.toMatchObject({ code: 'GATEWAY_TOO_LARGE' });
  });

  it('a scope that was listed is listed, with the changes since; another is unknown', async () => {
    remote.answers('[1,2]');
    await list();
    mirror.scopes.changed('s', text('1'), text('3'));
    remote.fails('GATEWAY_OFFLINE');
    expect(await list()).toBe('[3,2]');
    await expect(ask('state::list', { scope: 't' })).rejects.toMatchObject({
      code: 'GATEWAY_OFFLINE_UNKNOWN',
    });
  });

  it('scopes are listed once they were, and never half of them', async () => {
    remote.fails('GATEWAY_OFFLINE');
    mirror.learn('b', 'k', text('1'));
    await expect(groups()).rejects.toMatchObject({ code: 'GATEWAY_OFFLINE_UNKNOWN' });
    remote.answers('{"groups":["c"]}');
    await groups();
    mirror.learn('b', 'k', text('1'));
    remote.fails('GATEWAY_OFFLINE');
    expect(await groups()).toBe('{"groups":["b","c"]}');
  });

  it.each(['state::list_keys', 'state::list_entries'] as const)('%s needs the remote', async (id) => {
    remote.fails('GATEWAY_OFFLINE');
    await expect(ask(id, { scope: 's' })).rejects.toMatchObject({ code: 'GATEWAY_OFFLINE' });
    remote.fails('GATEWAY_OUTCOME_UNKNOWN');
    await expect(ask(id, { scope: 's' })).rejects.toMatchObject({ code: 'GATEWAY_TIMEOUT' });
  });

  it('a list that a write of ours crossed is not taken for the whole scope', async () => {
    remote.next = async () => {
      mirror.scopes.writeStarted('s');
      return { result: Payload.fromText('[1]') };
    };
    expect(await list()).toBe('[1]');
    remote.fails('GATEWAY_OFFLINE');
    await expect(list()).rejects.toMatchObject({ code: 'GATEWAY_OFFLINE_UNKNOWN' });
  });

  it('an answer that is older than a write of ours is given, and not learnt', async () => {
    remote.next = async () => {
      mirror.learn('s', 'k', text('"written"'));
      return { result: Payload.fromText('"read before"') };
    };
    expect(await get()).toBe('"read before"');
    expect(mirror.get('s', 'k')?.known).toEqual(text('"written"'));
  });
});

describe('Reader: stale_if_error and max_age_ms', () => {
  beforeEach(async () => {
    mirror.learn('s', 'k', text('1'));
    mirror.scopes.learnList(mirror.scopes.beginList('s'), '[1]');
    mirror.scopes.learnGroups(mirror.scopes.beginGroups(), '{"groups":["s"]}');
    now += 500;
    remote.fails('GATEWAY_OUTCOME_UNKNOWN');
  });

  it.each([
    ['get', get],
    ['list', list],
    ['groups', groups],
  ] as const)('without stale_if_error, %s tells why there is no answer', async (_, read) => {
    await expect(read({ stale_if_error: false })).rejects.toMatchObject({ code: 'GATEWAY_TIMEOUT' });
  });

  it.each([
    ['get', get],
    ['list', list],
    ['groups', groups],
  ] as const)('with max_age_ms, %s gives nothing that is older', async (_, read) => {
    await expect(read({ max_age_ms: 500 })).rejects.toMatchObject({ code: 'GATEWAY_TIMEOUT' });
    expect(await read({ max_age_ms: 501 })).toBeDefined();
  });

  it('the call wins over the rule of the scope; null is no wish', async () => {
    rules = { consistency: 'remote', maxAgeMs: 100, staleIfError: false };
    await expect(get({ stale_if_error: null })).rejects.toMatchObject({ code: 'GATEWAY_TIMEOUT' });
    expect(await get({ stale_if_error: true, max_age_ms: 0 })).toBe('1');
  });

  it.each([
    ['consistency', 'strong'],
    ['consistency', 1],
    ['max_age_ms', -1],
    ['max_age_ms', 1.5],
    ['max_age_ms', '1'],
    ['stale_if_error', 'yes'],
    ['with_meta', 1],
  ])('refuses %s: %j, naming it, and asks nobody', async (member, value) => {
    for (const read of [get, list, groups]) {
      await expect(read({ [member]: value })).rejects.toMatchObject({
        code: 'deserialization_error',
        message: expect.stringContaining(member),
      });
    }
    expect(remote.calls).toEqual([]);
  });
});

describe('Reader: with_meta', () => {
  it('says where a value comes from', async () => {
    remote.answers('{"a":1}');
    expect(await get({ with_meta: true })).toBe(
      '{"value":{"a":1},"source":"remote","age_ms":0,"pending":false}',
    );
    now += 70;
    remote.fails('GATEWAY_OFFLINE');
    expect(await get({ with_meta: true })).toBe(
      '{"value":{"a":1},"source":"mirror","age_ms":70,"pending":false}',
    );
    own.accept('k', text('{"a":1}'), knownValue([2]));
    expect(await get({ with_meta: true })).toBe('{"value":[2],"source":"local","age_ms":0,"pending":true}');
    own.accept('k', text('{"a":1}'), ABSENT);
    expect(await get({ with_meta: true })).toBe('{"source":"local","age_ms":0,"pending":true}');
  });

  it('says where lists come from', async () => {
    remote.answers('[1]');
    expect(await list({ with_meta: true })).toBe(
      '{"value":[1],"source":"remote","age_ms":0,"pending":false}',
    );
    remote.answers('{"groups":["a"]}');
    expect(await groups({ with_meta: true })).toBe(
      '{"value":{"groups":["a"]},"source":"remote","age_ms":0,"pending":false}',
    );
    now += 5;
    remote.fails('GATEWAY_OFFLINE');
    expect(await list({ with_meta: true })).toBe(
      '{"value":[1],"source":"mirror","age_ms":5,"pending":false}',
    );
    mirror.learn('s', 'k', text('1'));
    own.accept('k', text('1'), text('2'));
    remote.available = false;
    expect(await list({ with_meta: true })).toBe('{"value":[2],"source":"local","age_ms":5,"pending":true}');
    expect(await groups({ with_meta: true })).toMatch(/^{"value":{"groups":\["a","s"\]},"source":"mirror"/);
  });
});

describe('Reader: read-your-writes', () => {
  it('a key with pending writes is its view, whatever the remote says; an unknown view is an error', async () => {
    remote.answers('"remote"');
    own.accept('k', text('"remote"'), text('"mine"'));
    expect(await get()).toBe('"mine"');
    own.accept('k', text('"remote"'), ABSENT);
    expect(await get()).toBeUndefined();
    own.accept('k', UNKNOWN, UNKNOWN);
    await expect(get()).rejects.toMatchObject({ code: 'GATEWAY_OFFLINE_UNKNOWN' });
    expect(remote.calls).toEqual([]);
    expect(await ask('state::get', { scope: 's', key: 'other' })).toBe('"remote"');
  });

  it('a write that is accepted while the remote is silent is shown', async () => {
    mirror.learn('s', 'k', text('"old"'));
    remote.next = () => {
      own.accept('k', text('"old"'), text('"mine"'));
      return Promise.reject(offline());
    };
    expect(await get({ stale_if_error: false })).toBe('"mine"');
  });

  it('what pending writes are based on is not changed by an answer', async () => {
    mirror.learn('s', 'k', text('"base"'));
    remote.next = async () => {
      own.accept('k', text('"base"'), text('"mine"'));
      return { result: Payload.fromText('"changed by others"') };
    };
    await get();
    expect(mirror.get('s', 'k')?.known).toEqual(text('"base"'));
  });

  it('a list waits for the pending writes of its scope, then asks the remote with the time that is left', async () => {
    own.accept('k', text('1'), text('2'));
    own.meanwhile = () => {
      now += 800;
      own.pending.clear();
    };
    remote.answers('[2]');
    expect(await list()).toBe('[2]');
    expect(own.waits).toEqual([['s', undefined, 2000]]);
    expect(remote.calls[0]?.deadlineMs).toBe(1200);
  });

  it('a list of another scope does not wait', async () => {
    own.accept('k', text('1'), text('2'));
    remote.answers('[]');
    expect(await ask('state::list', { scope: 't' })).toBe('[]');
    expect(own.waits).toEqual([]);
  });

  it('a list shows what is still pending, if every key of the scope is known', async () => {
    remote.answers('[1,{"a":1},"x"]');
    await list();
    mirror.learn('s', 'a', text('1.0'));
    mirror.learn('s', 'b', text('{"a":1}'));
    own.accept('b', text('{"a":1}'), text('{"a":2}'));
    own.accept('new', ABSENT, text('null'));
    await expect(list()).rejects.toMatchObject({ code: 'GATEWAY_OFFLINE_UNKNOWN' });
    mirror.learn('s', 'c', text('"x"'));
    own.accept('c', text('"x"'), ABSENT);
    expect(await list()).toBe('[1,{"a":2},null]');
    expect(own.waits).toHaveLength(2); // the link was up
    remote.available = false;
    expect(await list()).toBe('[1,{"a":2},null]');
    expect(own.waits).toHaveLength(2);
    own.accept('c', UNKNOWN, ABSENT);
    await expect(list()).rejects.toMatchObject({ code: 'GATEWAY_OFFLINE_UNKNOWN' });
    expect(remote.calls).toHaveLength(1);
  });

  it('a list shows a write once that is settled while the list is put together', async () => {
    remote.answers('[1,1]');
    await list();
    mirror.learn('s', 'a', text('1'));
    mirror.learn('s', 'b', text('1'));
    own.accept('a', text('1'), text('2'));
    remote.available = false;
    own.asked = (times) => {
      if (times !== 2) return; // the first time is before there is anything to put together
      own.pending.clear();
      mirror.learn('s', 'a', text('2'));
      mirror.scopes.changed('s', text('1'), text('2'));
    };
    expect(await list()).toBe('[2,1]');
  });

  it('list_groups has the scopes of pending writes too', async () => {
    own.accept('k', ABSENT, text('1'));
    remote.answers('{"groups":["z"]}');
    expect(await groups()).toBe('{"groups":["s","z"]}');
    remote.fails('GATEWAY_OFFLINE');
    expect(await groups()).toBe('{"groups":["s","z"]}');
    remote.answers('{"groups" : ["s","z"]}');
    expect(await groups()).toBe('{"groups" : ["s","z"]}');
  });

  it.each(['state::list_keys', 'state::list_entries'] as const)(
    '%s waits, and then says why not',
    async (id) => {
      own.accept('k', text('1'), text('2'));
      await expect(ask(id, { scope: 's' })).rejects.toMatchObject({ code: 'GATEWAY_OFFLINE' });
      own.meanwhile = () => own.pending.clear();
      remote.answers('{}');
      expect(await ask(id, { scope: 's' })).toBe('{}');
    },
  );
});

describe('Reader: consistency cache', () => {
  beforeEach(() => {
    rules = { consistency: 'cache', maxAgeMs: 0, staleIfError: true };
    freshness.scopeConfirmed('s');
    remote.answers('1');
  });

  it('asks the remote once, then the mirror', async () => {
    expect([await get(), await get(), await get()]).toEqual(['1', '1', '1']);
    expect(remote.calls).toHaveLength(1);
    expect([reader.hits, reader.misses]).toEqual([2, 1]);
    expect(await get({ with_meta: true })).toBe('{"value":1,"source":"mirror","age_ms":0,"pending":false}');
    expect(await get({ consistency: 'remote' })).toBe('1');
    expect(remote.calls).toHaveLength(2);
  });

  it('wants to be told of the changes of what it would serve, and of nothing else', async () => {
    await get({ consistency: 'remote' });
    expect(followed).toEqual([]);
    await get();
    expect(followed).toEqual(['s']);
    await get(); // served
    expect(followed).toEqual(['s']);
  });

  it('knows absent keys too', async () => {
    remote.answers(undefined);
    expect([await get(), await get()]).toEqual([undefined, undefined]);
    expect(remote.calls).toHaveLength(1);
  });

  it('asks the remote again for what is older than max_age_ms', async () => {
    await get();
    now += 100;
    await get({ max_age_ms: 101 });
    expect(remote.calls).toHaveLength(1);
    await get({ max_age_ms: 100 });
    expect(remote.calls).toHaveLength(2);
  });

  it('asks the remote while the feed is not confirmed, or something came between', async () => {
    await get();
    freshness.ownWrite('s', 'k', now);
    await get();
    await get();
    expect(remote.calls).toHaveLength(3);
    freshness.scopeSuspect('s');
    now += 2000;
    await get();
    await get();
    expect(remote.calls).toHaveLength(5);
  });

  it('shows own pending writes all the same', async () => {
    await get();
    own.accept('k', text('1'), text('2'));
    expect(await get()).toBe('2');
  });

  it('a read that failed makes nothing fresh, and does not stay under way', async () => {
    mirror.learn('s', 'k', text('"old"'));
    remote.fails('GATEWAY_TIMEOUT');
    expect(await get()).toBe('"old"');
    remote.refuses('GET_ERROR');
    await expect(get()).rejects.toMatchObject({ code: 'GET_ERROR' });
    remote.answers('1');
    expect(await get()).toBe('1');
    freshness.eventArrived('s', 'k', true, now); // fits, and crosses no read
    expect(await get()).toBe('1');
    expect(remote.calls).toHaveLength(3);
  });
});
