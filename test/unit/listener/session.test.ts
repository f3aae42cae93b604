import { beforeEach, describe, expect, it } from 'vitest';
import { RateLimit } from '../../../src/listener/rate-limit.js';
import { Session } from '../../../src/listener/session.js';
import { Payload } from '../../../src/protocol/payload.js';
import type { Router } from '../../../src/router/router.js';
import { FakeWorker, makeRouter } from '../../support/fake-worker.js';
import type { Frame } from '../../support/frame-log.js';
import { silentLogger } from '../../support/silent-logger.js';

const MIB = 1024 * 1024;
const UUID = 'b6c1c791-8b4d-497d-82af-e0ad45876665';
const PYTHON = { name: 'p', runtime: 'python', version: '0.22.1', os: '', isolation: null, features: [] };

/** A connection that keeps what is sent, and takes nothing of it when it is deaf. */
class FakeSocket {
  readonly sent: string[] = [];
  queuedBytes = 0;
  terminated = 0;
  isDeaf = false;

  send(text: string): void {
    this.sent.push(text);
    if (this.isDeaf) this.queuedBytes += text.length;
  }

  terminate(): void {
    this.terminated += 1;
  }

  get frames(): Frame[] {
    return this.sent.map((text) => JSON.parse(text) as Frame);
  }
}

let router: Router;
let socket: FakeSocket;
let session: Session;
let leave: () => void;

beforeEach(() => {
  router = makeRouter();
  socket = new FakeSocket();
  connect();
});

function connect(perSecond = 0): void {
  session = new Session(socket, router, {
    id: 'session',
    reattachToken: 'token',
    ipAddress: '192.0.2.1',
    connectedAtMs: 0,
    maxQueuedBytes: 1000,
    rate: new RateLimit(perSecond, () => 0),
    logger: silentLogger(),
  });
  leave = session.open();
}

function say(text: string, isBinary = false): void {
  session.receive(Buffer.from(text), isBinary);
}

const poison = (more = '') =>
  `{"type":"invokefunction","invocation_id":"${UUID}","function_id":"f${more}","data":1e400}`;

describe('a session', () => {
  it('begins with the greeting, without features', () => {
    expect(socket.frames).toEqual([
      { type: 'workerregistered', worker_id: 'session', reattach_token: 'token' },
    ]);
    expect(router.workers.find('session')).toBe(session);
    leave();
    expect(router.workers.find('session')).toBeUndefined();
  });

  it('reads text in binary frames, but not the telemetry that old SDKs send so', () => {
    say('{"type":"ping"}', true);
    for (const head of ['OTLP', 'MTRC', 'LOGS']) say(`${head}{"type":"ping"}`, true);
    expect(socket.frames.map(({ type }) => type)).toEqual(['workerregistered', 'pong']);
  });

  it('answers a call that an engine would never answer, itself', () => {
    say(poison());
    expect(socket.frames.at(-1)).toMatchObject({
      type: 'invocationresult',
      invocation_id: UUID,
      error: { code: 'deserialization_error' },
    });
  });

  it('refuses calls beyond its rate; other frames and void calls get no answer', () => {
    connect(1);
    const call = { type: 'invokefunction', invocation_id: UUID, function_id: 'nobody', data: {} };
    say(JSON.stringify(call));
    const before = socket.sent.length;
    say(JSON.stringify({ ...call, invocation_id: undefined, action: { type: 'void' } }));
    expect(socket.sent).toHaveLength(before);
    say(JSON.stringify(call));
    expect(socket.frames.at(-1)).toMatchObject({ error: { code: 'GATEWAY_RATE_LIMITED' } });
    say('{"type":"ping"}');
    expect(socket.frames.at(-1)).toEqual({ type: 'pong' });
  });
});

describe('a worker that does not read', () => {
  beforeEach(() => {
    socket.isDeaf = true;
  });

  it('is ended once its queue is over the limit, and not before', () => {
    socket.queuedBytes = 1000;
    session.send({ type: 'pong' });
    expect(socket.terminated).toBe(0);
    const { length } = socket.sent;
    session.send({ type: 'pong' });
    expect(socket.terminated).toBe(1);
    expect(socket.sent).toHaveLength(length);
  });

  it('is ended by what we answer ourselves, too', () => {
    for (let n = 0; n < 100 && socket.terminated === 0; n += 1) say(poison('x'.repeat(200)));
    expect(socket.terminated).toBe(1);
    expect(socket.queuedBytes).toBeLessThan(2000);
  });
});

describe('a worker that reads no large messages', () => {
  beforeEach(() => {
    session.info = PYTHON;
  });

  const sizes: [character: string, most: number][] = [
    ['x', MIB],
    ['é', MIB / 2],
    ['€', Math.floor(MIB / 3)],
  ];

  it.each(sizes)(
    'gets an answer of %j up to its limit, and an error in place of a larger one',
    (character, most) => {
      const answer = (characters: number) =>
        session.send({
          type: 'invocationresult',
          invocation_id: UUID,
          function_id: 'f',
          result: Payload.of(character.repeat(characters)),
        });
      answer(most - 200);
      expect(socket.frames.at(-1)).toHaveProperty('result');
      answer(most);
      expect(socket.frames.at(-1)).toMatchObject({
        invocation_id: UUID,
        error: { code: 'GATEWAY_TOO_LARGE' },
      });
      expect(socket.terminated).toBe(0);
    },
  );

  it('is not sent a call that is too large; its caller is told', async () => {
    session.receive(Buffer.from('{"type":"registerfunction","id":"take"}'), false);
    const caller = FakeWorker.connect(router, 'caller');
    const answer = await caller.asks('take', { text: 'x'.repeat(MIB) });
    expect(answer.error).toMatchObject({ code: 'GATEWAY_TOO_LARGE' });
    expect(socket.frames.filter(({ type }) => type === 'invokefunction')).toEqual([]);
  });

  it('is not sent an event that is too large, and gets the next one', () => {
    session.receive(Buffer.from('{"type":"registerfunction","id":"watch"}'), false);
    const trigger = {
      id: 't',
      triggerType: 'state',
      functionId: 'watch',
      namespace: 'default',
      triggerNamespace: undefined,
      config: {},
      metadata: undefined,
      owner: session,
    };
    router.fire(trigger, Payload.of('x'.repeat(MIB)));
    router.fire(trigger, Payload.of('small'));
    expect(socket.frames.filter(({ type }) => type === 'invokefunction').map(({ data }) => data)).toEqual([
      'small',
    ]);
  });
});
